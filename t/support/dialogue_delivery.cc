// The cores of delivery protocols, as the runner of dialogues sees them.
#include <array>
#include <map>

#include "proto/smtp/reply.h"
#include "support/dialogue_subject.h"

namespace postern::test {

namespace {

// --- words ---------------------------------------------------------------------

constexpr std::array<std::string_view, static_cast<size_t>(OutcomeKind::kCount)> kOutcomes{
    "Taken",        "Delivered",       "reply",          "ProxyFailed",  "NotAnswering",  "UserUnknown",
    "LookupFailed", "Misconfigured",   "LoopsToItself",  "TtlReached",   "LoginDisabled", "Referral",
    "Redirected",   "InternalFailure", "ProgramRefused", "ProgramFailed"};
constexpr std::array<std::string_view, static_cast<size_t>(ProxyTrouble::kCount)> kTroubles{"Other", "Connect", "Lost",
                                                                                            "BadReply", "TimedOut"};

template <size_t N>
size_t place_of(std::string_view word, const std::array<std::string_view, N>& words) {
  return static_cast<size_t>(std::find(words.begin(), words.end(), word) - words.begin());
}

// "250 2.1.5 OK", lines joined by LF.
BackendAnswer answer_from(std::string_view text) {
  BackendAnswer out;
  out.code = static_cast<unsigned>(parse_number(text.substr(0, 3)).value_or(0));
  text.remove_prefix(std::min<size_t>(4, text.size()));
  out.enhanced = smtp::enhanced_code(text);
  if (!out.enhanced.empty()) text.remove_prefix(std::min(out.enhanced.size() + 1, text.size()));
  for (std::string_view line : split_fields(text, '\n')) out.lines.emplace_back(line);
  return out;
}

std::string describe(const BackendAnswer& answer) {
  std::string out = std::to_string(answer.code) + (answer.enhanced.empty() ? "" : " " + answer.enhanced);
  for (size_t i = 0; i < answer.lines.size(); ++i) out += (i == 0 ? " " : "\n") + answer.lines[i];
  return out;
}

std::optional<Outcome> outcome_from(std::string_view text) {
  auto [kind, rest] = first_word(text);
  Outcome out;
  if (const size_t at = place_of(kind, kOutcomes); at < kOutcomes.size()) out.kind = static_cast<OutcomeKind>(at);
  else return std::nullopt;
  if (out.kind == OutcomeKind::BackendReply) return out.reply = answer_from(rest), out;
  if (out.kind == OutcomeKind::ProxyFailed) {
    const auto [trouble, words] = first_word(rest);
    const size_t at = place_of(trouble, kTroubles);
    if (at == kTroubles.size()) return std::nullopt;
    out.trouble = static_cast<ProxyTrouble>(at);
    rest = words;
  }
  out.text = rest;
  return out;
}

std::string describe(const Outcome& outcome) {
  std::string out(kOutcomes[static_cast<size_t>(outcome.kind)]);
  if (outcome.kind == OutcomeKind::BackendReply) return out + " " + describe(outcome.reply);
  if (outcome.kind == OutcomeKind::ProxyFailed)
    out += " " + std::string(kTroubles[static_cast<size_t>(outcome.trouble)]);
  if (outcome.redirect.port != 0) out += " to " + outcome.redirect.text();
  return outcome.text.empty() ? out : out + " " + outcome.text;
}

std::string with(std::string_view name, std::string_view value) {
  return value.empty() ? std::string() : " " + std::string(name) + "=" + std::string(value);
}

std::string describe(const Envelope& e) {
  return "begin <" + e.sender + ">" + with("BODY", e.body) + with("SIZE", e.size ? std::to_string(*e.size) : "") +
         (e.utf8 ? " SMTPUTF8" : "") + with("RET", e.ret) + with("ENVID", e.envid);
}

std::string describe(const Recipient& r) {
  std::string out = "add " + std::to_string(r.number) + " <" + r.address + "> user=" + r.user +
                    with("detail", r.detail) + with("orcpt", r.orcpt) + with("notify", r.notify);
  for (const auto& [name, value] : r.forward) out += " forward." + name + "=" + value;
  return out;
}

std::optional<uint32_t> number_of(std::string_view word) {
  const auto number = parse_number(word, UINT32_MAX);
  return number ? std::optional(static_cast<uint32_t>(*number)) : std::nullopt;
}

// --- the client's side -----------------------------------------------------------

class DeliveryFrontSubject final : public Subject {
 public:
  explicit DeliveryFrontSubject(const Dialogue& dialogue)
      : settings_(dialogue.settings),
        facts_(dialogue.facts),
        shows_bodies_(dialogue.delivery.shows_bodies),
        front_(dialogue.delivery.protocol->make_front(settings_, facts_)) {
    DeliveryOutput out;
    front_->greet(out);
    record(out);
  }

  size_t feed(std::string_view input) override {
    DeliveryOutput out;
    const size_t taken = front_->feed(input, out);
    goes_on_ = taken > 0 || out.request.index() != 0;
    record(out);
    return taken;
  }

  bool tell(std::string_view word, const std::string& rest) override {
    DeliveryOutput out;
    goes_on_ = true;
    if (word == "recipient" || word == "delivered") {
      if (!answer(word == "recipient", rest, out)) return false;
    } else if (word == "tls") {
      facts_.tls_active = facts_.secured = true;
      front_->set_facts(facts_);
      front_->on_tls(out);
      mood_ = Mood::Reading;
    } else if (word == "facts") {
      front_->set_facts(facts_ = facts_from(rest));
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
    TraceFacts facts;
    facts.client = *IpAddress::parse("192.0.2.7");
    facts.transaction = "SID";
    facts.tls = facts_.tls_active ? "TLSv1.3" : "";
    if (word == "waits") return front_->waits_for_client() ? "yes" : "no";
    if (word == "to_back") return test::describe(front_->told_to_back());
    if (word == "trace") return front_->trace_header(facts);
    return word == "local" ? front_->local_header(facts, last_) : "unknown";
  }

  bool goes_on() const override { return goes_on_; }

 private:
  bool answer(bool named, std::string_view text, DeliveryOutput& out) {
    const auto [word, rest] = first_word(text);
    const auto number = number_of(word);
    auto outcome = outcome_from(rest);
    if (!number || !outcome) return false;
    outcome->session = *number == 0 ? "SID" : "SID:R" + std::to_string(*number + 1);
    named ? front_->answer_recipient(*number, *outcome, out) : front_->answer_delivery(*number, *outcome, out);
    return true;
  }

  void record(DeliveryOutput& out) {
    if (shows_bodies_) log.stream('M', out.body);
    log.stream('S', out.send);
    std::visit([this](const auto& request) { on(request); }, out.request);
  }

  void on(std::monostate) {}
  void on(const BeginTls&) { log.action("tls"), mood_ = Mood::AwaitsTls; }
  void on(const ForwardedFacts& facts) { log.action(test::describe(facts)); }
  void on(const Farewell& farewell) { log.action("bye " + std::string(farewell.reason)), mood_ = Mood::Gone; }
  void on(const BeginTransaction& begin) { log.action(describe(begin.envelope)); }
  void on(const AddRecipient& add) { log.action(describe(last_ = add.recipient)); }
  void on(const BeginMessage&) { log.action("message"); }
  void on(const EndMessage&) { log.action("end"); }
  void on(const DropTransaction&) { log.action("drop"); }

  FrontSettings settings_;
  ConnectionFacts facts_;
  const bool shows_bodies_;
  std::unique_ptr<DeliveryFront> front_;
  Recipient last_;
  bool goes_on_ = false;
};

// --- the backend's side ------------------------------------------------------------

class DeliveryBackSubject final : public Subject {
 public:
  explicit DeliveryBackSubject(const Dialogue& dialogue)
      : mail_(dialogue.delivery.mail),
        back_(dialogue.delivery.backend->make(dialogue.delivery.capabilities, dialogue.delivery.envelope)) {}

  size_t feed(std::string_view input) override {
    DeliveryBackOutput out;
    const size_t taken = back_->feed(input, out);
    record(out);
    return taken;
  }

  bool tell(std::string_view word, const std::string& rest) override {
    DeliveryBackOutput out;
    if (word == "add") {
      if (!add(rest, out)) return false;
    } else if (word == "message") {
      back_->begin_message(mail_.size(), out);
    } else if (word == "sent") {
      send_mail(out);
    } else if (word == "fail") {
      const auto outcome = outcome_from(rest);
      if (!outcome) return false;
      back_->fail(*outcome, out);
    } else {
      return false;
    }
    record(out);
    return true;
  }

  std::string state(std::string_view word) const override {
    if (word == "waiting") return std::string(back_->waiting_for());
    if (word != "farewell") return "unknown";
    const auto farewell = back_->farewell();
    return !farewell ? "none" : farewell->empty() ? "said" : std::string(farewell->substr(0, farewell->find('\r')));
  }

 private:
  bool add(std::string_view text, DeliveryBackOutput& out) {
    Recipient recipient;
    ForwardFields forward;
    const auto words = split_words(text);
    if (words.size() < 2 || words[1].size() < 2) return false;
    recipient.number = number_of(words[0]).value_or(0);
    recipient.address = words[1].substr(1, words[1].size() - 2);
    std::string address = recipient.address;
    const std::map<std::string_view, std::string*> texts{
        {"as", &address}, {"orcpt", &recipient.orcpt}, {"notify", &recipient.notify}};
    for (size_t i = 2; i < words.size(); ++i) {
      const size_t equals = std::min(words[i].find('='), words[i].size());
      const std::string_view name = words[i].substr(0, equals),
                             value = words[i].substr(std::min(equals + 1, words[i].size()));
      const auto found = texts.find(name);
      if (found != texts.end()) *found->second = value;
      else if (name.starts_with("forward.")) forward.emplace_back(name.substr(8), value);
      else return false;
    }
    back_->add_recipient(recipient, address, forward, out);
    return true;
  }

  // In pieces: what stands between them must not matter.
  void send_mail(DeliveryBackOutput& out) {
    BodyState state;
    for (size_t at = 0; at < mail_.size(); at += 3)
      back_->encode(std::string_view(mail_).substr(at, 3), state, out.send);
    back_->finish(state, out.send);
    back_->message_sent();
  }

  void record(DeliveryBackOutput& out) {
    log.stream('P', out.send);
    if (out.event == DeliveryBackOutput::Event::SendMessage) log.action("send");
    if (out.event == DeliveryBackOutput::Event::GiveUp) give_up();
    for (const auto& [number, outcome] : out.outcomes) {
      std::string line = "outcome " + std::to_string(number) + " " + describe(outcome);
      in_order ? log.action(std::move(line)) : log.note(std::move(line));  // at which read it is told is not the point
    }
  }

  void give_up() {
    if (!in_order) log.undo("send");  // with all of the input at once nobody was asked for the message
    log.action("giveup");
    mood_ = Mood::Gone;
  }

  const std::string mail_;
  std::unique_ptr<DeliveryBack> back_;
};

}  // namespace

std::unique_ptr<Subject> make_delivery_front_subject(const Dialogue& dialogue) {
  return std::make_unique<DeliveryFrontSubject>(dialogue);
}
std::unique_ptr<Subject> make_delivery_back_subject(const Dialogue& dialogue) {
  return std::make_unique<DeliveryBackSubject>(dialogue);
}

}  // namespace postern::test
