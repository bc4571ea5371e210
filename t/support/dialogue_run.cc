#include <array>
#include <map>
#include <set>
#include <utility>

#include "base/text.h"
#include "support/dialogue.h"

namespace postern::test {

namespace {

// --- what happened ------------------------------------------------------------

// Actions in order. What is sent in pieces is one stream, so that a cut does not show.
class ActionLog {
 public:
  void stream(char kind, std::string_view bytes) {
    if (bytes.empty()) return;
    if (entries_.empty() || entries_.back().first != kind) entries_.emplace_back(kind, std::string());
    entries_.back().second += bytes;
  }
  void action(std::string text) { entries_.emplace_back('!', std::move(text)); }
  void state(std::string text) { entries_.emplace_back('?', std::move(text)); }
  void note(std::string text) { notes_.push_back(std::move(text)); }
  void undo(std::string_view action) {
    if (!entries_.empty() && entries_.back().first == '!' && entries_.back().second == action) entries_.pop_back();
  }

  std::vector<std::string> lines() const {
    std::vector<std::string> out;
    for (const auto& [kind, text] : entries_) {
      if (kind == '!' || kind == '?')
        out.push_back(std::string(1, kind) + " " + printable(text, text.size()));
      else
        split(kind, text, out);
    }
    for (const std::string& note : notes_) out.push_back("! note " + printable(note, note.size()));
    return out;
  }

 private:
  static void split(char kind, std::string_view text, std::vector<std::string>& out) {
    while (!text.empty()) {
      const size_t end = text.find("\r\n");
      const bool whole = end != std::string_view::npos;
      const std::string_view line = text.substr(0, end);
      out.push_back(std::string(1, kind) + (whole ? ": " : "- ") + printable(line, line.size()));
      text.remove_prefix(whole ? end + 2 : text.size());
    }
  }

  std::vector<std::pair<char, std::string>> entries_;
  std::vector<std::string> notes_;
};

// --- the two kinds of cores ---------------------------------------------------

enum class Mood { Reading, AwaitsAnswer, AwaitsTls, Over, Gone };  // Gone: what is left does not matter

class Subject {
 public:
  virtual ~Subject() = default;
  virtual size_t feed(std::string_view input) = 0;
  // Takes an = line; false when it is not known.
  virtual bool tell(std::string_view word, const std::string& rest) = 0;
  virtual std::string state(std::string_view word) const = 0;
  virtual bool reads_before_tls() const { return false; }
  Mood mood() const { return mood_; }
  ActionLog log;

 protected:
  Mood mood_ = Mood::Reading;
};

std::pair<std::string, std::string> first_word(std::string_view text) {
  const size_t blank = std::min(text.find(' '), text.size());
  return {std::string(text.substr(0, blank)), std::string(text.substr(std::min(blank + 1, text.size())))};
}

constexpr std::array<std::string_view, static_cast<size_t>(AnswerKind::kCount)> kAnswerNames{
    "Challenge",    "BackendAccepted", "LocalAccepted",      "AuthFailed",           "AuthzFailed",
    "PasswordExpired", "UserDisabled", "TempFail",           "LoginDisabled",        "Referral",
    "ReferralAccepted", "UnsupportedMechanism", "BadEncodingInitial", "BadEncodingResponse", "BackendRefused",
    "BackendUnavailable", "BackendMisconfigured", "TooManyConnections", "InternalFailure"};
constexpr std::array<std::string_view, static_cast<size_t>(FailureClass::kCount)> kClassNames{
    "Auth", "AuthTempFail", "Connect", "Protocol", "Remote", "RemoteConfig", "RemoteRefusal", "Internal", "InternalConfig"};

const std::map<std::string_view, Parting> kPartings{{"goodbye", Parting::Idle},
                                                    {"shutdown", Parting::ShuttingDown},
                                                    {"crowded", Parting::Crowded},
                                                    {"unavailable", Parting::Unavailable}};

std::string quoted_if_empty(std::string_view text) { return text.empty() ? "\"\"" : std::string(text); }

std::string describe(const ForwardedFacts& facts) {
  std::string out = "forwarded";
  const auto add = [&out](std::string_view name, const auto& value, const auto& show) {
    if (value) out += " " + std::string(name) + "=" + show(*value);
  };
  const auto ip = [](const IpAddress& v) { return v.text(); };
  const auto number = [](uint32_t v) { return std::to_string(v); };
  const auto text = [](const std::string& v) { return v; };
  add("remote_ip", facts.remote_ip, ip);
  add("remote_port", facts.remote_port, number);
  add("local_ip", facts.local_ip, ip);
  add("local_port", facts.local_port, number);
  add("ttl", facts.ttl, number);
  add("session", facts.session, text);
  add("local_name", facts.local_name, text);
  for (const auto& [name, value] : facts.forward) out += " forward." + name + "=" + value;
  if (!facts.client_id.empty()) out += " client_id=" + facts.client_id;
  return out;
}

class FrontSubject : public Subject {
 public:
  explicit FrontSubject(const Dialogue& dialogue)
      : settings_(dialogue.settings), facts_(dialogue.facts), front_(dialogue.protocol->make_front(settings_, facts_)) {
    FrontOutput out;
    front_->greet(out);
    record(out);
  }

  size_t feed(std::string_view input) override {
    FrontOutput out;
    const size_t taken = front_->feed(input, out);
    record(out);
    return taken;
  }

  bool tell(std::string_view word, const std::string& rest) override {
    FrontOutput out;
    if (word == "answer") {
      if (!answer(rest, out)) return false;
    } else if (word == "with") {
      return prepare(rest);
    } else if (word == "tls") {
      begin_tls(out);
    } else if (word == "facts") {
      set_facts(rest);
    } else if (word == "notice") {
      front_->notice(rest, out);
    } else if (const auto parting = kPartings.find(word); parting != kPartings.end()) {
      front_->goodbye(rest, parting->second, out);
      mood_ = Mood::Gone;
    } else {
      return false;
    }
    record(out);
    return true;
  }

  std::string state(std::string_view word) const override {
    if (word == "asked_capabilities") return front_->asked_capabilities() ? "yes" : "no";
    std::string told;
    for (const auto& [name, value] : front_->told_to_back()) told += (told.empty() ? "" : " ") + name + "=" + value;
    return word == "to_back" ? told : "unknown";
  }

 private:
  bool answer(const std::string& rest, FrontOutput& out) {
    const auto [kind, text] = first_word(rest);
    for (size_t i = 0; i < kAnswerNames.size(); ++i) {
      if (kAnswerNames[i] != kind) continue;
      next_answer_.kind = static_cast<AnswerKind>(i);
      (next_answer_.kind == AnswerKind::BackendAccepted ? next_answer_.backend.line : next_answer_.text) = text;
      const bool accepted = kind.ends_with("Accepted");
      mood_ = accepted ? Mood::Over : Mood::Reading;
      front_->answer(std::exchange(next_answer_, {}), out);
      return true;
    }
    return false;
  }

  bool prepare(const std::string& rest) {
    const auto [what, text] = first_word(rest);
    if (what == "capabilities") next_answer_.backend.capabilities = text;
    const auto words = split_words(text);
    if (what == "referral" && words.size() == 4)
      next_answer_.referral = {std::string(words[0]), std::string(words[1]), std::string(words[2]),
                               static_cast<uint16_t>(parse_number(words[3], 65535).value_or(0))};
    return what == "capabilities" || what == "referral";
  }

  void begin_tls(FrontOutput& out) {
    facts_.tls_active = facts_.secured = true;
    front_->set_facts(facts_);
    front_->on_tls(out);
    mood_ = Mood::Reading;
  }

  void set_facts(const std::string& rest) {
    const auto words = split_words(rest);
    const std::set<std::string_view> on(words.begin(), words.end());
    facts_ = {on.contains("tls_available"), on.contains("tls_active"), on.contains("secured"), on.contains("trusted")};
    front_->set_facts(facts_);
  }

  void record(FrontOutput& out) {
    log.stream('S', out.send);
    for (std::string& note : out.log_notes) log.note(std::move(note));
    std::visit([this](const auto& request) { on(request); }, out.request);
  }

  void on(std::monostate) {}
  void on(const BeginTls&) { log.action("tls"), mood_ = Mood::AwaitsTls; }
  void on(const AuthBegin& r) {
    log.action("auth " + r.mechanism + (r.initial ? " " + quoted_if_empty(r.initial->reveal()) : ""));
    mood_ = Mood::AwaitsAnswer;
  }
  void on(const AuthResponse& r) {
    log.action("response " + quoted_if_empty(r.data.reveal()));
    mood_ = Mood::AwaitsAnswer;
  }
  void on(const AuthAbort&) { log.action("abort"); }
  void on(const ForwardedFacts& r) { log.action(describe(r)); }
  void on(const PolicyRefusal& r) {
    log.action("refused " + (r.mechanism.empty() ? "-" : r.mechanism) + (r.counts_as_attempt ? " attempt " : " free ") +
               std::string(r.reason));
  }
  void on(const Farewell& r) { log.action("bye " + std::string(r.reason)), mood_ = Mood::Gone; }

  FrontSettings settings_;
  ConnectionFacts facts_;
  std::unique_ptr<Front> front_;
  Answer next_answer_;
};

class BackSubject : public Subject {
 public:
  explicit BackSubject(const Dialogue& dialogue)
      : runner_(dialogue.protocol->back.steps, dialogue.plan, dialogue.limits) {}

  size_t feed(std::string_view input) override {
    ScriptOutput out;
    const size_t taken = runner_.feed(input, out);
    record(out);
    return taken;
  }

  bool tell(std::string_view word, const std::string&) override {
    if (word != "tls") return false;
    ScriptOutput out;
    mood_ = Mood::Reading;
    runner_.on_tls(out);
    record(out);
    return true;
  }

  bool reads_before_tls() const override { return true; }
  std::string state(std::string_view word) const override {
    return runner_.state_words(word == "state" ? StateForm::SentAndReceived : StateForm::Waiting);
  }

 private:
  void record(ScriptOutput& out) {
    log.stream('P', out.send);
    log.stream('S', out.to_client);
    for (std::string& error : out.log_errors) log.note(std::move(error));
    if (out.event == ScriptOutput::Event::UpgradeTls) log.action("tls"), mood_ = Mood::AwaitsTls;
    if (out.event == ScriptOutput::Event::Accepted) accepted(out.accepted);
    if (out.event == ScriptOutput::Event::Failed) failed(out.failure);
  }

  void accepted(const BackendReply& reply) {
    log.action("accepted " + reply.line);
    if (!reply.capabilities.empty()) log.action("capabilities " + reply.capabilities);
    mood_ = Mood::Over;
  }

  void failed(const BackendFailure& failure) {
    // Bytes behind the consent to TLS are noticed at once or with the next read, depending on the cut.
    if (mood_ == Mood::AwaitsTls) log.undo("tls");
    log.action("failed " + std::string(kClassNames[static_cast<size_t>(failure.what)]) + " " + failure.log_text);
    const std::string marks = std::string(failure.has_code ? "+code" : "") + (failure.passes_always ? "+always" : "");
    if (!failure.reply.empty()) log.action("reply" + marks + " " + failure.reply);
    mood_ = Mood::Gone;
  }

  ScriptRunner runner_;
};

std::unique_ptr<Subject> make_subject(const Dialogue& dialogue) {
  if (dialogue.is_front) return std::make_unique<FrontSubject>(dialogue);
  return std::make_unique<BackSubject>(dialogue);
}

// --- running ------------------------------------------------------------------

bool is_input(const DialogueLine& line) { return line.kind == 'C' || line.kind == 'B'; }
std::string bytes_of(const DialogueLine& line) { return line.text + (line.whole ? "\r\n" : ""); }
// Answers are given when the core asks; other events happen at their place in the input.
bool is_answer(const DialogueLine& line) {
  return line.kind == '=' && (line.text.starts_with("answer ") || line.text.starts_with("with "));
}
bool is_event(const DialogueLine& line) { return line.kind == '=' && !is_answer(line); }

class Run {
 public:
  explicit Run(const Dialogue& dialogue) : lines_(dialogue.lines), subject_(make_subject(dialogue)) {}

  // Line by line, with the input in the log: replies come where the file says.
  ActionLog in_order() {
    std::string block;
    for (const DialogueLine& line : lines_) {
      if (is_input(line)) {
        block += bytes_of(line);
        subject_->log.stream(line.kind, bytes_of(line));
        continue;
      }
      arrive(block);
      if (line.kind == '=') tell(line);
      if (line.kind == '?') look(line);
    }
    arrive(block);
    return finish();
  }

  // Input as far ahead as the core lets it come, cut where `is_cut(offset)` says.
  template <class IsCut>
  ActionLog cut(IsCut is_cut) {
    size_t offset = 0;
    std::string piece;
    find_limit(0);
    for (size_t i = 0; i < lines_.size(); ++i) {
      if (is_event(lines_[i])) {
        arrive(piece);
        tell(lines_[i]);
        find_limit(i + 1);
      }
      if (!is_input(lines_[i])) continue;
      for (char c : bytes_of(lines_[i])) {
        if (offset > 0 && is_cut(offset)) arrive(piece);
        piece += c;
        ++offset;
      }
    }
    arrive(piece);
    return finish();
  }

 private:
  // Answers in front of the next event may be wanted from now on.
  void find_limit(size_t from) {
    for (limit_ = from; limit_ < lines_.size() && !is_event(lines_[limit_]);) ++limit_;
  }

  void arrive(std::string& piece) {
    buffer_ += piece;
    piece.clear();
    pump();
  }

  void pump() {
    for (;;) {
      const Mood mood = subject_->mood();
      if (mood == Mood::AwaitsAnswer) {
        if (!give_answer()) return;
        continue;
      }
      // A backend that goes on talking before TLS must be noticed; a client's bytes wait for the handshake.
      const bool reads = mood == Mood::Reading || (mood == Mood::AwaitsTls && subject_->reads_before_tls());
      if (!reads || buffer_.empty()) return;
      const size_t taken = subject_->feed(buffer_);
      buffer_.erase(0, taken);
      if (taken == 0 && subject_->mood() == mood) return;
    }
  }

  bool give_answer() {
    for (; next_answer_ < limit_; ++next_answer_) {
      const DialogueLine& line = lines_[next_answer_];
      if (!is_answer(line)) continue;
      tell(line);
      if (line.text.starts_with("with ")) continue;
      ++next_answer_;
      return true;
    }
    return false;
  }

  void tell(const DialogueLine& line) {
    const auto [word, rest] = first_word(line.text);
    if (is_event(line)) note_left();
    if (word == "tls") buffer_.clear();
    if (!subject_->tell(word, rest)) subject_->log.action("unknown event, line " + std::to_string(line.number));
    if (limit_ == 0) pump();
  }

  void look(const DialogueLine& line) {
    const auto [word, rest] = first_word(line.text);
    subject_->log.state(word + " " + subject_->state(word));
  }

  void note_left() {
    if (!buffer_.empty() && subject_->mood() != Mood::Gone) subject_->log.action("left " + buffer_);
  }

  ActionLog finish() {
    note_left();
    return std::move(subject_->log);
  }

  const std::vector<DialogueLine>& lines_;
  std::unique_ptr<Subject> subject_;
  std::string buffer_;
  size_t next_answer_ = 0;
  size_t limit_ = 0;  // stays 0 in order: answers are then given where they stand
};

std::vector<std::string> expected(const Dialogue& dialogue, bool in_order) {
  ActionLog log;
  for (const DialogueLine& line : dialogue.lines) {
    if (line.kind == '!' && line.text.starts_with("note "))
      log.note(line.text.substr(5));
    else if (line.kind == '!')
      log.action(line.text);
    else if (line.kind == '?' && in_order)
      log.state(line.text);
    else if (line.kind == 'S' || line.kind == 'P' || (in_order && is_input(line)))
      log.stream(line.kind, bytes_of(line));
  }
  return log.lines();
}

}  // namespace

void check_at_every_cut(const Dialogue& dialogue) {
  ASSERT_EQ(dialogue.error, "");
  SCOPED_TRACE(dialogue.where);
  ASSERT_EQ(expected(dialogue, true), Run(dialogue).in_order().lines()) << "line by line";
  const std::vector<std::string> wanted = expected(dialogue, false);
  ASSERT_EQ(wanted, Run(dialogue).cut([](size_t) { return false; }).lines()) << "whole";
  ASSERT_EQ(wanted, Run(dialogue).cut([](size_t) { return true; }).lines()) << "byte by byte";
  size_t size = 0;
  for (const DialogueLine& line : dialogue.lines) size += is_input(line) ? bytes_of(line).size() : 0;
  for (size_t at = 1; at < size; ++at)
    ASSERT_EQ(wanted, Run(dialogue).cut([at](size_t offset) { return offset == at; }).lines()) << "cut at " << at;
}

}  // namespace postern::test
