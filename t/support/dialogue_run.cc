#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "base/text.h"
#include "support/dialogue_subject.h"

namespace postern::test {

namespace {

constexpr std::array<std::string_view, static_cast<size_t>(AnswerKind::kCount)> kAnswerNames{
    "Challenge",          "BackendAccepted",      "LocalAccepted",      "AuthFailed",          "AuthzFailed",
    "PasswordExpired",    "UserDisabled",         "TempFail",           "LoginDisabled",       "Referral",
    "ReferralAccepted",   "UnsupportedMechanism", "BadEncodingInitial", "BadEncodingResponse", "BackendRefused",
    "BackendUnavailable", "BackendMisconfigured", "TooManyConnections", "InternalFailure"};
constexpr std::array<std::string_view, static_cast<size_t>(FailureClass::kCount)> kClassNames{
    "Auth",         "AuthTempFail",  "Connect",  "Protocol",      "Remote",
    "RemoteConfig", "RemoteRefusal", "Internal", "InternalConfig"};

std::string quoted_if_empty(std::string_view text) { return text.empty() ? "\"\"" : std::string(text); }

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
      front_->set_facts(facts_ = facts_from(rest));
    } else if (word == "notice") {
      front_->notice(rest, out);
    } else if (const auto parting = parting_named(word)) {
      front_->goodbye(rest, *parting, out);
      mood_ = Mood::Gone;
    } else {
      return false;
    }
    record(out);
    return true;
  }

  std::string state(std::string_view word) const override {
    if (word == "asked_capabilities") return front_->asked_capabilities() ? "yes" : "no";
    return word == "to_back" ? describe(front_->told_to_back()) : "unknown";
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
  explicit BackSubject(const Dialogue& dialogue) : runner_(dialogue.steps, dialogue.plan, dialogue.limits) {}

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
    log.action(reply.line.empty() ? "accepted" : "accepted " + reply.line);
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

template <class T>
std::unique_ptr<Subject> make(const Dialogue& dialogue) {
  return std::make_unique<T>(dialogue);
}

std::unique_ptr<Subject> make_subject(const Dialogue& dialogue) {
  using Make = std::unique_ptr<Subject> (*)(const Dialogue&);
  static constexpr Make kMake[] = {make<FrontSubject>, make<BackSubject>, make_delivery_front_subject,
                                   make_delivery_back_subject};  // as DialogueKind
  return kMake[static_cast<size_t>(dialogue.kind)](dialogue);
}

// --- running ------------------------------------------------------------------

constexpr size_t kNever = SIZE_MAX;  // an offset that no input has

bool is_input(const DialogueLine& line) { return line.kind == 'C' || line.kind == 'B'; }
std::string bytes_of(const DialogueLine& line) { return line.text + (line.whole ? "\r\n" : ""); }
// Answers are given when the core asks; other events happen at their place in the input.
bool is_answer(const DialogueLine& line) {
  return line.kind == '=' && (line.text.starts_with("answer ") || line.text.starts_with("with "));
}
bool is_event(const DialogueLine& line) { return line.kind == '=' && !is_answer(line); }
// Bytes may wait for it: they are not left over.
bool is_waited_for(const DialogueLine& line) {
  return line.text.starts_with("recipient ") || line.text.starts_with("delivered ");
}

class Run {
 public:
  explicit Run(const Dialogue& dialogue)
      : lines_(dialogue.lines), shows_events_(dialogue.is_delivery()), subject_(make_subject(dialogue)) {}

  // Line by line, with the input in the log: replies come where the file says.
  ActionLog in_order() {
    subject_->in_order = true;
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

  // Input as far ahead as the core lets it come, cut in front of byte `next` and every `step` bytes behind. A backend
  // hears us before it answers.
  ActionLog cut(size_t next, size_t step) {
    size_t offset = 0;
    std::string piece;
    find_limit(0);
    for (size_t i = 0; i < lines_.size(); ++i) {
      if (is_event(lines_[i])) {
        arrive(piece);
        tell(lines_[i]);
        find_limit(i + 1);
      }
      if (lines_[i].kind == 'P') arrive(piece);
      if (!is_input(lines_[i])) continue;
      const std::string bytes = bytes_of(lines_[i]);
      for (size_t done = 0; done < bytes.size();) {
        if (offset == next) {
          arrive(piece);
          next = step < kNever - next ? next + step : kNever;
        }
        const size_t n = std::min(bytes.size() - done, next - offset);
        piece.append(bytes, done, n);
        done += n;
        offset += n;
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
      if (!reads || (buffer_.empty() && !subject_->goes_on())) return;
      const size_t taken = subject_->feed(buffer_);
      buffer_.erase(0, taken);
      if (taken == 0 && subject_->mood() == mood && !subject_->goes_on()) return;
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
    if (is_event(line) && !is_waited_for(line)) note_left();
    if (shows_events_) subject_->log.told(line.text);
    if (word == "tls") buffer_.clear();
    if (!subject_->tell(word, rest)) subject_->log.action("unknown event, line " + std::to_string(line.number));
    if (limit_ == 0 || subject_->goes_on()) pump();
  }

  void look(const DialogueLine& line) {
    const auto [word, rest] = first_word(line.text);
    const std::string state = subject_->state(word);
    subject_->log.state(state.empty() ? word : word + " " + state);
  }

  void note_left() {
    if (!buffer_.empty() && subject_->mood() != Mood::Gone) subject_->log.action("left " + buffer_);
  }

  ActionLog finish() {
    note_left();
    return std::move(subject_->log);
  }

  const std::vector<DialogueLine>& lines_;
  const bool shows_events_;
  std::unique_ptr<Subject> subject_;
  std::string buffer_;
  size_t next_answer_ = 0;
  size_t limit_ = 0;  // stays 0 in order: answers are then given where they stand
};

// With the whole input at once a backend may have refused a message before it was asked for.
bool is_overtaken(const std::vector<DialogueLine>& lines, size_t at) {
  for (++at; at < lines.size() && !is_event(lines[at]); ++at)
    if (lines[at].kind == '!' && lines[at].text == "giveup") return true;
  return false;
}

std::vector<std::string> expected(const Dialogue& dialogue, bool in_order) {
  ActionLog log;
  for (size_t i = 0; i < dialogue.lines.size(); ++i) {
    const DialogueLine& line = dialogue.lines[i];
    if (line.kind == '!' && line.text.starts_with("note ")) log.note(line.text.substr(5));
    else if (line.kind == '!' && !in_order && line.text.starts_with("outcome ")) log.note(line.text);
    else if (line.kind == '!' && !in_order && line.text == "send" && is_overtaken(dialogue.lines, i)) continue;
    else if (line.kind == '!') log.action(line.text);
    else if (line.kind == '=' && dialogue.is_delivery()) log.told(line.text);
    else if (line.kind == '?' && in_order) log.state(line.text);
    else if (std::string_view("SPM").find(line.kind) != std::string_view::npos || (in_order && is_input(line)))
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
  ASSERT_EQ(wanted, Run(dialogue).cut(kNever, kNever).lines()) << "whole";
  ASSERT_EQ(wanted, Run(dialogue).cut(1, 1).lines()) << "byte by byte";
  size_t size = 0;
  for (const DialogueLine& line : dialogue.lines) size += is_input(line) ? bytes_of(line).size() : 0;
  for (size_t at = 1; at < size; ++at) ASSERT_EQ(wanted, Run(dialogue).cut(at, kNever).lines()) << "cut at " << at;
}

}  // namespace postern::test
