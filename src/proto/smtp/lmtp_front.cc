#include "proto/smtp/lmtp_front.h"

#include <algorithm>
#include <array>
#include <deque>
#include <utility>

#include "base/check.h"
#include "proto/smtp/envelope.h"
#include "proto/smtp/lmtp_words.h"
#include "proto/smtp/message_text.h"
#include "proto/smtp/server.h"

namespace postern::smtp {

namespace {

constexpr uint64_t kReadBeyondLimit = 1024 * 1024;  // LMTP-17: of a message that is too large

class LmtpFront final : public DeliveryFront, private Server<DeliveryOutput> {
 public:
  LmtpFront(const FrontSettings& settings, const ConnectionFacts& facts) : Server(settings, facts, "LMTP") {}

  void greet(DeliveryOutput& out) override { out.send += greeting(); }
  size_t feed(std::string_view input, DeliveryOutput& out) override;
  void answer_recipient(uint32_t number, const Outcome& outcome, DeliveryOutput& out) override;
  void answer_delivery(uint32_t number, const Outcome& outcome, DeliveryOutput& out) override;
  void on_tls(DeliveryOutput& out) override;
  void set_facts(const ConnectionFacts& facts) override { facts_ = facts; }
  void goodbye(std::string_view text, Parting why, DeliveryOutput& out) override { part(text, why, out); }
  bool waits_for_client() const override;
  std::string trace_header(const TraceFacts& facts) const override;
  std::string local_header(const TraceFacts& facts, const Recipient& recipient) const override;
  ProtocolFacts told_to_back() const override { return told(); }

 private:
  // Command -> Data -> Delivering -> Command, and Command -> Chunk -> Command -> Chunk -> Delivering
  enum class Phase : uint8_t {
    Command,
    Data,        // the message follows, up to its dot
    Chunk,       // the rest of a BDAT
    Delivering,  // the message is complete, recipients are not all answered
    Handshake,   // TLS begins
  };

  struct Verb {
    std::string_view name;
    void (LmtpFront::*run)(std::string_view parameters, DeliveryOutput& out);
    bool side_by_side = false;  // may run while recipients named before are not answered
  };
  static constexpr size_t kVerbCount = 12;
  static const std::array<Verb, kVerbCount> kVerbs;

  // A recipient who is looked up or more, to the end of the transaction.
  struct Named {
    Recipient recipient;
    enum class State : uint8_t { Asked, Good, Refused, Told } state = State::Asked;
    std::string reply;  // to the message, not yet told: others come first
  };

  // The reply to a RCPT command that is not out yet, because it or one before it waits for its recipient's answer.
  struct Slot {
    std::optional<uint32_t> recipient;  // none: refused at once
    std::string reply;                  // empty: not known yet
  };

  // What is gathered of one message.
  struct Transaction {
    Envelope envelope;
    std::vector<Named> recipients;
    size_t told = 0;  // recipients before which all replies to the message are out
    uint64_t size = 0;
    bool in_message = false;  // BeginMessage was asked for
    bool chunked = false, chunk_failed = false;
    DataReader data{};      // DATA
    LineEnds chunk_ends{};  // BDAT
    bool has_good() const {
      return std::any_of(recipients.begin(), recipients.end(),
                         [](const Named& n) { return n.state == Named::State::Good; });
    }
  };

  bool too_large() const { return settings_.max_mail_size > 0 && transaction_->size > settings_.max_mail_size; }
  EnvelopeRules rules() const;

  size_t read_lines(std::string_view input, DeliveryOutput& out);
  bool may_run(std::string_view line) const;
  void command(std::string_view line, DeliveryOutput& out);
  size_t read_data(std::string_view input, DeliveryOutput& out);
  size_t read_chunk(std::string_view input, DeliveryOutput& out);
  void count(size_t before, DeliveryOutput& out);
  void complete(DeliveryOutput& out);
  void refuse_large(DeliveryOutput& out);
  void tell_slots(DeliveryOutput& out);
  void tell_deliveries(DeliveryOutput& out);
  void drop(DeliveryOutput& out);
  bool refuse_bdat(std::string_view parameters, const Chunk& chunk, DeliveryOutput& out);

  void lhlo(std::string_view parameters, DeliveryOutput& out);
  void starttls(std::string_view parameters, DeliveryOutput& out);
  void xclient(std::string_view parameters, DeliveryOutput& out);
  void mail(std::string_view parameters, DeliveryOutput& out);
  void rcpt(std::string_view parameters, DeliveryOutput& out);
  void refuse_in_turn(const Refusal& refusal, DeliveryOutput& out);
  void data(std::string_view parameters, DeliveryOutput& out);
  void bdat(std::string_view parameters, DeliveryOutput& out);
  void rset(std::string_view parameters, DeliveryOutput& out);
  void noop(std::string_view parameters, DeliveryOutput& out) { answer_noop(parameters, out); }
  void quit(std::string_view parameters, DeliveryOutput& out) { take_quit(parameters, "Successful quit", out); }
  void vrfy(std::string_view parameters, DeliveryOutput& out);
  void auth(std::string_view, DeliveryOutput& out) { say(502, "5.5.1", "Unsupported command", out); }

  Phase phase_ = Phase::Command;
  std::optional<Transaction> transaction_;
  std::deque<Slot> slots_;
  struct {
    uint64_t size = 0, left = 0;
    bool last = false;
  } chunk_;
};

constexpr std::array<LmtpFront::Verb, LmtpFront::kVerbCount> LmtpFront::kVerbs{{
    {"LHLO", &LmtpFront::lhlo},
    {"STARTTLS", &LmtpFront::starttls},
    {"XCLIENT", &LmtpFront::xclient},
    {"MAIL", &LmtpFront::mail},
    {"RCPT", &LmtpFront::rcpt, true},
    {"DATA", &LmtpFront::data},
    {"BDAT", &LmtpFront::bdat},
    {"RSET", &LmtpFront::rset},
    {"NOOP", &LmtpFront::noop},
    {"QUIT", &LmtpFront::quit},
    {"VRFY", &LmtpFront::vrfy},
    {"AUTH", &LmtpFront::auth},
}};

// --- reading -----------------------------------------------------------------------

size_t LmtpFront::feed(std::string_view input, DeliveryOutput& out) {
  if (phase_ == Phase::Data) return read_data(input, out);
  // What follows a chunk is read at once: the session does not come again when the chunk was of no bytes.
  const size_t taken = phase_ == Phase::Chunk ? read_chunk(input, out) : 0;
  return taken + read_lines(input.substr(taken), out);
}

size_t LmtpFront::read_lines(std::string_view input, DeliveryOutput& out) {
  size_t taken = 0;
  while (!over_ && phase_ == Phase::Command && out.request.index() == 0) {
    taken += cutter_.skip(input.substr(taken));
    const std::string_view rest = input.substr(taken);
    const Line line = cutter_.next(rest, command_limit(rest, settings_.max_line));
    if (line.status == Line::Status::TooLong) {
      taken += cutter_.skip(rest);
      refuse_in_turn({500, "5.5.2", "Line too long"}, out);
      continue;
    }
    if (line.status == Line::Status::Incomplete || !may_run(line.text)) break;
    taken += line.taken;
    command(line.text, out);
  }
  return taken;
}

// Replies stand in the order of commands, and only recipients are looked up side by side, a few at a time (LMTP-5).
bool LmtpFront::may_run(std::string_view line) const {
  if (slots_.empty()) return true;
  const auto command = parse_command(line);
  const auto verb =
      std::find_if(kVerbs.begin(), kVerbs.end(), [&](const Verb& v) { return command && v.name == command->verb; });
  return verb != kVerbs.end() && verb->side_by_side && slots_.size() < settings_.delivery.max_waiting;
}

void LmtpFront::command(std::string_view line, DeliveryOutput& out) {
  const auto command = parse_command(line);
  if (!command) return say(500, "5.5.2", "Invalid command syntax", out);
  const auto verb = std::find_if(kVerbs.begin(), kVerbs.end(), [&](const Verb& v) { return v.name == command->verb; });
  if (verb == kVerbs.end()) return say(500, "5.5.1", "Unknown command", out);
  (this->*verb->run)(command->parameters, out);
}

// --- the message -------------------------------------------------------------------

size_t LmtpFront::read_data(std::string_view input, DeliveryOutput& out) {
  const size_t before = out.body.size(), taken = transaction_->data.read(input, out.body);
  count(before, out);
  if (!over_ && transaction_->data.at_end()) complete(out);
  return taken;
}

size_t LmtpFront::read_chunk(std::string_view input, DeliveryOutput& out) {
  const size_t before = out.body.size(), taken = static_cast<size_t>(std::min<uint64_t>(chunk_.left, input.size()));
  transaction_->chunk_ends.append(input.substr(0, taken), out.body);
  chunk_.left -= taken;
  if (chunk_.left == 0 && chunk_.last) transaction_->chunk_ends.finish(out.body);
  count(before, out);
  if (over_ || chunk_.left > 0) return taken;
  phase_ = Phase::Command;
  if (chunk_.last) complete(out);
  else say(250, "2.0.0", "Added " + std::to_string(chunk_.size) + " octets", out);
  return taken;
}

// Of what is too large nothing more is kept, but it is read, so that the client hears why (LMTP-17).
void LmtpFront::count(size_t before, DeliveryOutput& out) {
  transaction_->size += out.body.size() - before;
  if (!too_large()) return;
  out.body.clear();
  if (transaction_->size > settings_.max_mail_size + kReadBeyondLimit)
    close("4.7.0", "Message size exceeds administrative limit", "Message too large", out);
}

void LmtpFront::complete(DeliveryOutput& out) {
  if (too_large()) return refuse_large(out);
  phase_ = Phase::Delivering;
  out.request = EndMessage{};
}

void LmtpFront::refuse_large(DeliveryOutput& out) {
  for (const Named& named : transaction_->recipients)
    if (named.state == Named::State::Good) say(552, "5.2.3", "Message size exceeds administrative limit", out);
  phase_ = Phase::Command;
  drop(out);
}

// --- answers -----------------------------------------------------------------------

void LmtpFront::answer_recipient(uint32_t number, const Outcome& outcome, DeliveryOutput& out) {
  if (!transaction_ || number >= transaction_->recipients.size()) return;
  Named& named = transaction_->recipients[number];
  named.state = outcome.is_good() ? Named::State::Good : Named::State::Refused;
  for (Slot& slot : slots_)
    if (slot.recipient == number)
      slot.reply = outcome_reply(outcome, Stage::Named, named.recipient, settings_.delivery.verbose_replies);
  tell_slots(out);
}

void LmtpFront::tell_slots(DeliveryOutput& out) {
  for (; !slots_.empty() && !slots_.front().reply.empty(); slots_.pop_front()) out.send += slots_.front().reply;
}

void LmtpFront::answer_delivery(uint32_t number, const Outcome& outcome, DeliveryOutput& out) {
  if (!transaction_ || phase_ != Phase::Delivering || number >= transaction_->recipients.size()) return;
  Named& named = transaction_->recipients[number];
  if (named.state != Named::State::Good) return;
  named.state = Named::State::Told;
  named.reply = outcome_reply(outcome, Stage::Delivery, named.recipient, settings_.delivery.verbose_replies);
  tell_deliveries(out);
}

void LmtpFront::tell_deliveries(DeliveryOutput& out) {
  auto& recipients = transaction_->recipients;
  for (size_t& at = transaction_->told; at < recipients.size() && recipients[at].state != Named::State::Good; ++at)
    out.send += std::exchange(recipients[at].reply, {});
  if (transaction_->told < recipients.size()) return;
  transaction_.reset();
  phase_ = Phase::Command;
}

void LmtpFront::drop(DeliveryOutput& out) {
  if (!transaction_) return;
  transaction_.reset();
  if (!over_) out.request = DropTransaction{};
}

bool LmtpFront::waits_for_client() const {
  return phase_ != Phase::Delivering && phase_ != Phase::Handshake && slots_.empty();
}

// --- greeting, TLS, who the client is -------------------------------------------------

void LmtpFront::lhlo(std::string_view name, DeliveryOutput& out) {
  if (!meet(name, "LMTP", out)) return;
  out.send += format_lines(250, lhlo_lines(settings_, facts_));
  drop(out);
}

void LmtpFront::starttls(std::string_view parameters, DeliveryOutput& out) {
  if (transaction_) return say(503, "5.5.0", "STARTTLS not permitted during a mail transaction", out);
  if (begin_tls(parameters, out)) phase_ = Phase::Handshake;
}

void LmtpFront::on_tls(DeliveryOutput&) {
  forget_clear_text();
  phase_ = Phase::Command;
}

void LmtpFront::xclient(std::string_view parameters, DeliveryOutput& out) {
  if (facts_.trusted && transaction_) return say(503, "5.5.0", "XCLIENT not permitted during a mail transaction", out);
  take_xclient(parameters, out);
}

// --- the envelope --------------------------------------------------------------------

EnvelopeRules LmtpFront::rules() const {
  const auto listed = [this](std::string_view name) {
    return std::find(settings_.extensions.begin(), settings_.extensions.end(), name) != settings_.extensions.end();
  };
  const FrontSettings::Delivery& d = settings_.delivery;
  return {listed("8BITMIME"),       listed("DSN"),      listed("SMTPUTF8"),   settings_.max_mail_size, facts_.trusted,
          d.whitespace_before_path, d.mailbox_for_path, d.recipient_delimiter};
}

void LmtpFront::mail(std::string_view parameters, DeliveryOutput& out) {
  if (transaction_) return say(503, "5.5.0", "MAIL already given", out);
  Envelope envelope;
  if (const Refusal refusal = parse_mail(parameters, rules(), envelope))
    return say(refusal.code, refusal.enhanced, refusal.text, out);
  transaction_.emplace().envelope = envelope;
  say(250, "2.1.0", "OK", out);
  out.request = BeginTransaction{std::move(envelope)};
}

void LmtpFront::rcpt(std::string_view parameters, DeliveryOutput& out) {
  if (!transaction_) return say(503, "5.5.0", "MAIL needed first", out);
  if (transaction_->in_message) return say(503, "5.5.0", "Bad sequence of commands", out);
  Recipient recipient;
  Refusal refusal = parse_rcpt(parameters, rules(), transaction_->envelope, recipient);
  if (!refusal && transaction_->recipients.size() >= settings_.delivery.max_recipients)
    refusal = {452, "4.5.3", "Too many recipients"};  // LMTP-13
  if (refusal) return refuse_in_turn(refusal, out);
  recipient.number = static_cast<uint32_t>(transaction_->recipients.size());
  slots_.push_back({recipient.number, {}});
  transaction_->recipients.emplace_back().recipient = recipient;
  out.request = AddRecipient{std::move(recipient)};
}

// Recipients named before may not be answered yet.
void LmtpFront::refuse_in_turn(const Refusal& refusal, DeliveryOutput& out) {
  DeliveryOutput said;
  say(refusal.code, refusal.enhanced, refusal.text, said);
  if (!over_) slots_.push_back({std::nullopt, std::move(said.send)});
  tell_slots(out);
  if (!over_) return;
  out.send += said.send;  // nobody waits for the others any more
  out.request = std::move(said.request);
}

void LmtpFront::rset(std::string_view parameters, DeliveryOutput& out) {
  if (!takes_no_parameters(parameters, out)) return;
  say(250, "2.0.0", "OK", out);
  drop(out);
}

void LmtpFront::vrfy(std::string_view parameters, DeliveryOutput& out) {
  if (parameters.empty()) return say(501, "5.5.4", "Invalid parameters", out);
  say(252, "2.3.3", "Try RCPT instead", out);
}

// --- DATA and BDAT (LMTP-14 to LMTP-16) -------------------------------------------------

void LmtpFront::data(std::string_view parameters, DeliveryOutput& out) {
  if (!takes_no_parameters(parameters, out)) return;
  if (!transaction_) return say(503, "5.5.0", "MAIL needed first", out);
  if (transaction_->chunked) return say(503, "5.5.0", "Bad sequence of commands", out);
  if (!transaction_->has_good()) return say(503, "5.5.0", "No valid recipients", out);
  out.send += format_reply(354, "", "OK");
  phase_ = Phase::Data;
  transaction_->in_message = true;
  out.request = BeginMessage{};
}

// Whatever is wrong with it, a chunk of known size follows: it is no command (SEC-10).
bool LmtpFront::refuse_bdat(std::string_view parameters, const Chunk& chunk, DeliveryOutput& out) {
  const size_t blank = std::min(parameters.find(' '), parameters.size());
  const bool bad_marker = blank < parameters.size() && !iequals(parameters.substr(blank + 1), "LAST");
  if (!transaction_) return say(503, "5.5.0", "MAIL needed first", out), true;
  if (transaction_->chunk_failed) return say(503, "5.5.0", "Previous data chunk failed, issue RSET first", out), true;
  if (bad_marker) {
    transaction_->chunk_failed = true;
    return say(501, "5.5.4", "Invalid end marker parameter", out), true;
  }
  if (transaction_->has_good()) return false;
  // RFC 2033: a last chunk has a reply for each recipient, so none here.
  if (!chunk.last || chunk.size == 0) say(503, "5.5.0", "No valid recipients", out);
  if (chunk.last) drop(out);
  return true;
}

void LmtpFront::bdat(std::string_view parameters, DeliveryOutput& out) {
  const size_t blank = std::min(parameters.find(' '), parameters.size());
  const auto size = parse_number(parameters.substr(0, blank), INT64_MAX);
  if (!size) return say(501, "5.5.4", "Invalid chunk size parameter", out);
  const Chunk chunk{*size, blank < parameters.size() && iequals(parameters.substr(blank + 1), "LAST")};
  if (refuse_bdat(parameters, chunk, out)) return cutter_.discard(chunk.size);
  chunk_ = {chunk.size, chunk.size, chunk.last};
  phase_ = Phase::Chunk;
  transaction_->chunked = true;
  if (!std::exchange(transaction_->in_message, true)) out.request = BeginMessage{};
}

// --- headers (LMTP-39) -----------------------------------------------------------------

std::string LmtpFront::trace_header(const TraceFacts& facts) const {
  if (!settings_.delivery.add_received || !transaction_) return {};
  TraceSubject subject{settings_.hostname,
                       find_fact(upstream_, "HELO").empty() ? helo_ : find_fact(upstream_, "HELO"),
                       transaction_->envelope.sender,
                       {}};
  const auto& recipients = transaction_->recipients;
  const auto good = [](const Named& n) { return n.state == Named::State::Good; };
  const auto only = std::find_if(recipients.begin(), recipients.end(), good);
  std::string original;
  if (std::count_if(recipients.begin(), recipients.end(), good) == 1 && settings_.delivery.address_header != "none") {
    const Recipient& recipient = only->recipient;
    const size_t semicolon = recipient.orcpt.find(';');
    if (settings_.delivery.address_header == "original" && semicolon != std::string::npos)
      original = xtext_decode(std::string_view(recipient.orcpt).substr(semicolon + 1)).value_or("");
    if (!original.empty() && !is_mailbox(original)) original.clear();
    subject.recipient = original.empty() ? std::string_view(recipient.address) : std::string_view(original);
  }
  return received_header(facts, subject);
}

std::string LmtpFront::local_header(const TraceFacts& facts, const Recipient& recipient) const {
  std::string out = "Return-Path: <" + (transaction_ ? transaction_->envelope.sender : std::string()) + ">\r\n";
  if (settings_.delivery.address_header != "none") out += "Delivered-To: " + recipient.address + "\r\n";
  return out + trace_header(facts);
}

}  // namespace

std::unique_ptr<DeliveryFront> make_lmtp_front(const FrontSettings& settings, const ConnectionFacts& facts) {
  return std::make_unique<LmtpFront>(settings, facts);
}

}  // namespace postern::smtp
