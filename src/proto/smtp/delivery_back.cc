#include "proto/smtp/delivery_back.h"

#include <array>
#include <deque>
#include <utility>

#include "base/rows.h"
#include "base/text.h"
#include "proto/line_reader.h"
#include "proto/smtp/envelope.h"
#include "proto/smtp/message_text.h"
#include "proto/smtp/reply.h"
#include "proto/smtp/xclient.h"

namespace postern::smtp {

namespace {

constexpr size_t kMaxLine = 4096;  // LMTP-37: of a reply's line, and of all of them
constexpr size_t kMaxReply = 4096;
constexpr std::string_view kQuit = "QUIT\r\n";

struct Capabilities {
  bool pipelining = false, chunking = false, enhanced_codes = false, eight_bit = false, size = false, dsn = false,
       utf8 = false, forward = false;
};

struct Keyword {
  std::string_view name;
  bool Capabilities::*member;
};
constexpr Keyword kKeywords[] = {
    {"PIPELINING", &Capabilities::pipelining},
    {"CHUNKING", &Capabilities::chunking},
    {"ENHANCEDSTATUSCODES", &Capabilities::enhanced_codes},
    {"8BITMIME", &Capabilities::eight_bit},
    {"SIZE", &Capabilities::size},
    {"DSN", &Capabilities::dsn},
    {"SMTPUTF8", &Capabilities::utf8},
    {"XRCPTFORWARD", &Capabilities::forward},
};

Capabilities read_capabilities(std::string_view lines) {
  Capabilities out;
  for (std::string_view line : split_fields(lines, '\n')) {
    const std::string_view name = line.substr(0, line.find(' '));
    for (const Keyword& keyword : kKeywords)
      if (iequals(keyword.name, name)) out.*keyword.member = true;
  }
  return out;
}

// Where "[<path> ]user@host:port ..." points to (SUB-45). Names are not looked up, and the user is the one we have.
Endpoint redirect_target(std::string_view text) {
  if (text.starts_with('<')) text.remove_prefix(std::min(text.find("> ") + 2, text.size()));
  text = text.substr(0, text.find(' '));
  text.remove_prefix(text.rfind('@') + 1);
  const size_t bracket = text.starts_with('[') ? text.find(']') : std::string_view::npos;
  const size_t colon = text.find(':', bracket == std::string_view::npos ? 0 : bracket);
  const auto ip = IpAddress::parse(text.substr(0, colon));
  const auto port =
      colon == std::string_view::npos ? std::optional<uint64_t>(0) : parse_number(text.substr(colon + 1), 65535);
  if (!ip || !port || (*port == 0 && colon != std::string_view::npos)) return {};
  return {*ip, static_cast<uint16_t>(*port)};
}

// What a sent command's reply is to.
enum class Awaited : uint8_t { Mail, Recipient, Data, End, kCount };

class Back final : public DeliveryBack {
 public:
  Back(Capabilities capabilities, const Envelope& envelope, bool answers_each)
      : capabilities_(capabilities),
        answers_each_(answers_each),
        needs_utf8_(envelope.utf8),
        mail_(mail_command(envelope)) {}

  void add_recipient(const Recipient& recipient, std::string_view address, const ForwardFields& forward,
                     DeliveryBackOutput& out) override;
  void begin_message(uint64_t size, DeliveryBackOutput& out) override;
  void encode(std::string_view piece, BodyState& state, std::string& out) const override;
  void finish(const BodyState& state, std::string& out) const override;
  void message_sent() override { state_ = State::Sent; }
  size_t feed(std::string_view input, DeliveryBackOutput& out) override;
  void fail(const Outcome& outcome, DeliveryBackOutput& out) override;
  std::string_view waiting_for() const override;
  std::optional<std::string_view> farewell() const override;

 private:
  // Sending: our bytes are the message's; Sent: all of it is out.
  enum class State : uint8_t { Naming, Asking, Sending, Sent };
  struct Command {
    Awaited what;
    uint32_t number = 0;  // Recipient, End: whose
    std::string text{};
    std::string plain_text{};  // Recipient: to be tried where parameters are not understood; empty: there is nothing to
                               // leave out
  };
  // One handler for what each command's reply means.
  struct AwaitedRow {
    Awaited what;
    void (Back::*take)(const Command& command, const Reply& reply, DeliveryBackOutput& out);
    std::string_view words;
  };
  static constexpr size_t kAwaitedCount = static_cast<size_t>(Awaited::kCount);
  static const std::array<AwaitedRow, kAwaitedCount> kAwaited;

  std::string mail_command(const Envelope& envelope) const;
  void command(Command command, DeliveryBackOutput& out);
  void send_more(DeliveryBackOutput& out);
  void take(const Reply& reply, DeliveryBackOutput& out);
  void take_mail(const Command&, const Reply& reply, DeliveryBackOutput& out);
  void take_recipient(const Command& command, const Reply& reply, DeliveryBackOutput& out);
  void take_data(const Command&, const Reply& reply, DeliveryBackOutput& out);
  void take_end(const Command& command, const Reply& reply, DeliveryBackOutput& out);
  void bad_reply(const Reply& reply, DeliveryBackOutput& out);
  void tell_accepted(const Outcome& outcome, DeliveryBackOutput& out);
  Outcome outcome_of(const Reply& reply) const;

  Capabilities capabilities_;
  const bool answers_each_;
  const bool needs_utf8_;
  std::string mail_;  // until it is sent
  State state_ = State::Naming;
  std::deque<Command> waiting_;  // sent and not answered, in order
  std::deque<Command> unsent_;   // for a server that takes one command at a time
  ReplyReader reader_;
  size_t reply_bytes_ = 0;
  std::optional<Outcome> mail_refused_;  // what everybody named is told (LMTP-31)
  std::vector<uint32_t> accepted_;       // in the order named: so the final replies come
  bool broken_ = false;
  Outcome failure_;  // broken_: for whom is told later
};

constexpr std::array<Back::AwaitedRow, Back::kAwaitedCount> Back::kAwaited{{
    {Awaited::Mail, &Back::take_mail, "MAIL"},
    {Awaited::Recipient, &Back::take_recipient, "RCPT"},
    {Awaited::Data, &Back::take_data, "DATA"},
    {Awaited::End, &Back::take_end, "the final reply"},
}};

// --- commands ------------------------------------------------------------------------

// LMTP-29: what the backend cannot is left out, and the message goes as it is.
std::string Back::mail_command(const Envelope& envelope) const {
  std::string out = "MAIL FROM:<" + envelope.sender + ">";
  if (envelope.body == "7BIT" || (!envelope.body.empty() && capabilities_.eight_bit)) out += " BODY=" + envelope.body;
  if (envelope.size && capabilities_.size) out += " SIZE=" + std::to_string(*envelope.size);
  if (envelope.utf8) out += " SMTPUTF8";
  if (!envelope.ret.empty() && capabilities_.dsn) out += " RET=" + envelope.ret;
  if (!envelope.envid.empty() && capabilities_.dsn) out += " ENVID=" + envelope.envid;
  return out + "\r\n";
}

// LMTP-30.
std::string orcpt_for(const Recipient& recipient, std::string_view address) {
  if (!recipient.orcpt.empty()) return " ORCPT=" + recipient.orcpt;
  return address == recipient.address ? std::string() : " ORCPT=rfc822;" + xtext_encode(recipient.address);
}

std::string rcpt_command(const Recipient& recipient, std::string_view address, std::string_view orcpt,
                         const ForwardFields& forward, const Capabilities& can) {
  std::string out = "RCPT TO:<" + std::string(address) + ">";
  out += orcpt;
  if (!recipient.notify.empty() && can.dsn) out += " NOTIFY=" + recipient.notify;
  if (!forward.empty() && can.forward) out += " XRCPTFORWARD=" + forward_value(forward);
  return out + "\r\n";
}

void Back::add_recipient(const Recipient& recipient, std::string_view address, const ForwardFields& forward,
                         DeliveryBackOutput& out) {
  if (broken_) return void(out.outcomes.emplace_back(recipient.number, failure_));
  if (mail_refused_) return void(out.outcomes.emplace_back(recipient.number, *mail_refused_));
  // The setting promises what this backend has not: ours to mend (RFC 6531 forbids to go on).
  if (needs_utf8_ && !capabilities_.utf8)
    return void(out.outcomes.emplace_back(recipient.number, Outcome{.kind = OutcomeKind::Misconfigured}));
  if (!mail_.empty()) command({Awaited::Mail, 0, std::exchange(mail_, {})}, out);
  const std::string orcpt = orcpt_for(recipient, address);
  Command rcpt{Awaited::Recipient, recipient.number, rcpt_command(recipient, address, orcpt, forward, capabilities_)};
  // Dovecot takes ORCPT without offering DSN, others must not be asked twice.
  if (!orcpt.empty() && !capabilities_.dsn)
    rcpt.plain_text = rcpt_command(recipient, address, {}, forward, capabilities_);
  command(std::move(rcpt), out);
}

void Back::command(Command command, DeliveryBackOutput& out) {
  unsent_.push_back(std::move(command));
  send_more(out);
}

void Back::send_more(DeliveryBackOutput& out) {
  while (!unsent_.empty() && (capabilities_.pipelining || waiting_.empty())) {
    out.send += std::exchange(unsent_.front().text, {});
    waiting_.push_back(std::move(unsent_.front()));
    unsent_.pop_front();
  }
}

void Back::begin_message(uint64_t size, DeliveryBackOutput& out) {
  if (broken_) return tell_accepted(failure_, out);
  if (accepted_.empty()) return;
  if (!capabilities_.chunking) {
    state_ = State::Asking;
    return command({Awaited::Data, 0, "DATA\r\n"}, out);
  }
  out.send += "BDAT " + std::to_string(size) + " LAST\r\n";
  take_data({Awaited::Data}, {354, {""}}, out);
}

void Back::encode(std::string_view piece, BodyState& state, std::string& out) const {
  if (capabilities_.chunking) out += piece;
  else stuff_dots(piece, state.in_line, out);
}

// There is one message: the last word goes with it, where that may be (RFC 2920 section 3.1).
void Back::finish(const BodyState& state, std::string& out) const {
  if (!capabilities_.chunking) out += end_of_data(state.in_line);
  if (capabilities_.pipelining) out += kQuit;
}

std::optional<std::string_view> Back::farewell() const {
  if (state_ == State::Sending || broken_) return std::nullopt;
  return state_ == State::Sent && capabilities_.pipelining ? std::string_view() : kQuit;
}

// --- replies -------------------------------------------------------------------------

size_t Back::feed(std::string_view input, DeliveryBackOutput& out) {
  size_t taken = 0;
  while (!broken_) {
    if (state_ == State::Sent && waiting_.empty()) return input.size();  // the answer to QUIT
    const Line line = next_line(input.substr(taken), kMaxLine);
    if (line.status == Line::Status::Incomplete) break;
    reply_bytes_ += line.text.size();
    taken += line.taken;
    const bool usable = line.status == Line::Status::Complete && !has_nul(line.text) && reply_bytes_ <= kMaxReply;
    const auto state = usable ? reader_.take(line.text) : ReplyReader::State::Broken;
    if (state == ReplyReader::State::More) continue;
    reply_bytes_ = 0;
    if (state == ReplyReader::State::Broken) {
      fail({.kind = OutcomeKind::ProxyFailed,
            .trouble = ProxyTrouble::BadReply,
            .text = "Invalid reply: " + printable(line.text)},
           out);
      break;
    }
    take(reader_.reply(), out);
  }
  return taken;
}

void Back::take(const Reply& reply, DeliveryBackOutput& out) {
  if (reply.code == 421)
    return fail({.kind = OutcomeKind::ProxyFailed,
                 .trouble = ProxyTrouble::Lost,
                 .text = "Remote server closes: " + reply.summary()},
                out);
  if (waiting_.empty()) return bad_reply(reply, out);
  const Command command = std::move(waiting_.front());
  waiting_.pop_front();
  (this->*kAwaited[static_cast<size_t>(command.what)].take)(command, reply, out);
  if (!broken_) send_more(out);
}

void Back::take_mail(const Command&, const Reply& reply, DeliveryBackOutput& out) {
  if (reply.kind() == 2) return;
  if (reply.kind() == 3) return bad_reply(reply, out);
  mail_refused_ = outcome_of(reply);
  for (const Command& command : std::exchange(unsent_, {})) out.outcomes.emplace_back(command.number, *mail_refused_);
}

void Back::take_recipient(const Command& command, const Reply& reply, DeliveryBackOutput& out) {
  if (reply.kind() == 3) {
    waiting_.push_front(command);  // he is one of those who hear of it
    return bad_reply(reply, out);
  }
  const bool not_understood = reply.code == 501 || reply.code == 504 || reply.code == 555;
  if (not_understood && !mail_refused_ && !command.plain_text.empty())
    return this->command({Awaited::Recipient, command.number, command.plain_text}, out);
  if (reply.kind() == 2 && !mail_refused_) accepted_.push_back(command.number);
  out.outcomes.emplace_back(command.number, mail_refused_ ? *mail_refused_ : outcome_of(reply));
}

// The message may go; the replies to its end are awaited from now on, they may come early (LMTP-41).
void Back::take_data(const Command&, const Reply& reply, DeliveryBackOutput& out) {
  if (reply.kind() == 2 || (reply.kind() == 3 && reply.code != 354)) return bad_reply(reply, out);
  if (reply.kind() != 3) return tell_accepted(outcome_of(reply), out);
  state_ = State::Sending;
  out.event = DeliveryBackOutput::Event::SendMessage;
  if (!answers_each_) return waiting_.push_back({Awaited::End});
  for (const uint32_t number : accepted_) waiting_.push_back({Awaited::End, number});
}

void Back::take_end(const Command& command, const Reply& reply, DeliveryBackOutput& out) {
  // The answer to QUIT is nobody's success, whatever became of the one before it.
  if (reply.kind() == 3 || reply.code == 221 || (reply.kind() == 2 && state_ != State::Sent)) {
    waiting_.push_front(command);
    return bad_reply(reply, out);
  }
  if (!answers_each_) tell_accepted(outcome_of(reply), out);
  else out.outcomes.emplace_back(command.number, outcome_of(reply));
  if (state_ == State::Sending && waiting_.empty()) out.event = DeliveryBackOutput::Event::GiveUp;
}

void Back::bad_reply(const Reply& reply, DeliveryBackOutput& out) {
  fail({.kind = OutcomeKind::ProxyFailed,
        .trouble = ProxyTrouble::BadReply,
        .text = "Unexpected reply: " + reply.summary()},
       out);
}

// Nobody else's answer changes by it, and none that was given (LMTP-43).
void Back::fail(const Outcome& outcome, DeliveryBackOutput& out) {
  if (std::exchange(broken_, true)) return;
  failure_ = outcome;
  const bool all_at_once =
      state_ == State::Asking || (!answers_each_ && !waiting_.empty() && waiting_.front().what == Awaited::End);
  for (auto* commands : {&waiting_, &unsent_})
    for (const Command& command : std::exchange(*commands, {}))
      if (command.what == Awaited::Recipient || (command.what == Awaited::End && answers_each_))
        out.outcomes.emplace_back(command.number, outcome);
  if (all_at_once) tell_accepted(outcome, out);
  out.event = DeliveryBackOutput::Event::GiveUp;
}

void Back::tell_accepted(const Outcome& outcome, DeliveryBackOutput& out) {
  for (const uint32_t number : std::exchange(accepted_, {})) out.outcomes.emplace_back(number, outcome);
}

std::string_view Back::waiting_for() const {
  if (state_ == State::Sending) return "the message to be taken";
  return waiting_.empty() ? std::string_view() : kAwaited[static_cast<size_t>(waiting_.front().what)].words;
}

Outcome Back::outcome_of(const Reply& reply) const {
  if (reply.enhanced() == "5.2.900" && capabilities_.enhanced_codes)
    return {.kind = OutcomeKind::Redirected,
            .text = reply.summary(),
            .redirect = redirect_target(trim(std::string_view(reply.lines.front()).substr(7)))};
  Outcome out{.kind = OutcomeKind::BackendReply, .reply = {.code = reply.code}};
  for (std::string_view line : reply.lines) {
    const std::string_view code = capabilities_.enhanced_codes ? enhanced_code(line) : std::string_view();
    // Some servers have it in their last line only.
    const bool counts = !code.empty() && static_cast<unsigned>(code[0] - '0') == reply.kind();
    if (counts && out.reply.enhanced.empty()) out.reply.enhanced = code;
    out.reply.lines.emplace_back(code.empty() ? line : trim(line.substr(code.size())));
  }
  return out;
}

std::unique_ptr<DeliveryBack> make(std::string_view capabilities, const Envelope& envelope, bool answers_each) {
  return std::make_unique<Back>(read_capabilities(capabilities), envelope, answers_each);
}

}  // namespace

std::unique_ptr<DeliveryBack> make_lmtp_back(std::string_view capabilities, const Envelope& envelope) {
  return make(capabilities, envelope, true);
}
std::unique_ptr<DeliveryBack> make_smtp_back(std::string_view capabilities, const Envelope& envelope) {
  return make(capabilities, envelope, false);
}

}  // namespace postern::smtp
