// A delivery front under fuzzing. Input: one byte of facts and settings, one that chooses what becomes of recipients,
// then the client's bytes. Held to be true: what the front says, passes on and asks for is the same whole and byte by
// byte, whenever answers come; each recipient hears of his RCPT once and of the message once, in order; a message has
// no bare CR or LF.
#ifndef POSTERN_T_FUZZ_DELIVERY_FRONT_FUZZ_H
#define POSTERN_T_FUZZ_DELIVERY_FRONT_FUZZ_H

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/expect.h"
#include "proto/delivery.h"

namespace postern::fuzz {

inline void expect_whole_line_ends(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r') expect(i + 1 < text.size() && text[i + 1] == '\n', "a message has no bare CR");
    if (text[i] == '\n') expect(i > 0 && text[i - 1] == '\r', "a message has no bare LF");
  }
}

class DeliveryFrontSession {
 public:
  DeliveryFrontSession(const DeliveryProtocol& protocol, uint8_t facts, uint8_t fates) : fates_(fates) {
    settings_.hostname = "mx.example.org";
    settings_.max_line = 200;
    settings_.max_bad_commands = 20;
    settings_.max_mail_size = 300;
    settings_.extensions = {"8BITMIME", "CHUNKING"};
    if ((facts & 16) != 0) settings_.extensions.insert(settings_.extensions.end(), {"DSN", "SMTPUTF8"});
    settings_.delivery.max_recipients = 6;
    settings_.delivery.max_waiting = 3;
    settings_.delivery.whitespace_before_path = settings_.delivery.mailbox_for_path = (facts & 32) != 0;
    facts_ = {(facts & 1) != 0, (facts & 2) != 0, (facts & 4) != 0, (facts & 8) != 0};
    front_ = protocol.make_front(settings_, facts_);
    DeliveryOutput out;
    front_->greet(out);
    take(out);
  }

  void arrive(std::string_view bytes) {
    buffer_ += bytes;
    do pump();
    while (!over_ && answer_one());
  }

  void finish() {
    if (over_) return;
    for (const std::string& word : told_) expect(count(word) == 1, "who was answered is told once");
  }

  const std::string& sent() const { return sent_; }
  // It ended before everybody was answered: that depends on when answers come.
  bool left_somebody() const { return over_ && !waiting_.empty(); }
  const std::string& log() const { return log_; }

 private:
  void pump() {
    for (;;) {
      if (over_) return;
      DeliveryOutput out;
      const size_t taken = front_->feed(buffer_, out);
      expect(taken <= buffer_.size(), "a front takes no more than there is");
      buffer_.erase(0, taken);
      const bool asked = out.request.index() != 0;
      take(out);
      if (taken == 0 && !asked) return;
    }
  }

  // One of those that wait: now this one, now that one.
  bool answer_one() {
    if (waiting_.empty()) return false;
    turn_ = turn_ * 5 + fates_;
    const auto at = waiting_.begin() + static_cast<std::ptrdiff_t>(turn_ % waiting_.size());
    const uint32_t number = *at;
    waiting_.erase(at);
    DeliveryOutput out;
    delivering_ ? front_->answer_delivery(number, fate(number), out)
                : front_->answer_recipient(number, fate(number), out);
    take(out);
    return true;
  }

  bool is_good(uint32_t number) const { return ((fates_ >> (number % 8)) & 1) == 0; }

  Outcome fate(uint32_t number) {
    const std::string word =
        "w" + std::to_string(transaction_) + "." + std::to_string(number) + (delivering_ ? "d" : "n") + ".";
    told_.push_back(word);
    Outcome out{.kind = OutcomeKind::BackendReply, .session = word};
    out.reply = {is_good(number) ? 250u : 550u, "", {word}};
    if (delivering_ && !is_good(number)) return {.kind = OutcomeKind::ProxyFailed, .session = word};
    return out;
  }

  size_t count(std::string_view word) const {
    size_t n = 0;
    for (size_t at = sent_.find(word); at != std::string::npos; at = sent_.find(word, at + 1)) ++n;
    return n;
  }

  void take(DeliveryOutput& out) {
    check_lines(out.send);
    sent_ += out.send;
    body_ += out.body;
    expect(!body_.ends_with('\r'), "a CR is held back until it is known what it is");
    std::visit([this](auto& request) { on(request); }, out.request);
  }

  static void check_lines(std::string_view sent) {
    expect(sent.empty() || sent.ends_with("\r\n"), "a front sends complete lines");
    expect_whole_line_ends(sent);
    for (char c : sent)
      expect(static_cast<unsigned char>(c) >= 0x20 || c == '\r' || c == '\n', "a front sends no control bytes");
  }

  void on(std::monostate) {}
  void on(BeginTls&) {
    log_ += "<tls>";
    facts_.tls_active = facts_.secured = true;
    front_->set_facts(facts_);
    DeliveryOutput out;
    front_->on_tls(out);
    take(out);
  }
  void on(ForwardedFacts& facts) { log_ += "<forwarded " + std::to_string(facts.forward.size()) + ">"; }
  void on(Farewell& farewell) {
    expect(!farewell.reason.empty(), "a farewell has a reason");
    over_ = true;
  }
  void on(BeginTransaction& begin) {
    log_ += "<begin " + begin.envelope.sender + ">";
    ++transaction_;
    recipients_ = 0;
    good_.clear();
    expect(waiting_.empty(), "a transaction begins when nobody waits");
  }
  void on(AddRecipient& add) {
    expect(add.recipient.number == recipients_++, "recipients are counted");
    expect(recipients_ <= settings_.delivery.max_recipients, "their number is bounded");
    log_ += "<add " + add.recipient.address + " " + add.recipient.user + add.recipient.detail + ">";
    waiting_.push_back(add.recipient.number);
    expect(waiting_.size() <= settings_.delivery.max_waiting, "only a few wait");
    if (is_good(add.recipient.number)) good_.push_back(add.recipient.number);
  }
  void on(BeginMessage&) {
    expect(waiting_.empty() && !good_.empty(), "a message has recipients");
    body_.clear();
    log_ += "<message>";
    expect(front_->trace_header({}).find("\n\n") == std::string::npos, "a header has no empty line");
    expect_whole_line_ends(front_->trace_header({}));
  }
  void on(EndMessage&) {
    expect_whole_line_ends(body_);
    log_ += "<end " + body_ + ">";
    expect(body_.size() <= settings_.max_mail_size, "a message is bounded");
    waiting_ = good_;
    delivering_ = true;
    const size_t before = told_.size();
    while (answer_one()) {}
    delivering_ = false;
    size_t last = 0;
    for (const uint32_t number : good_) {  // LMTP-42
      const size_t at = sent_.find("w" + std::to_string(transaction_) + "." + std::to_string(number) + "d.");
      expect(at != std::string::npos && at > last, "replies to a message stand in order");
      last = at;
    }
    expect(told_.size() - before == good_.size(), "each has one");
  }
  void on(DropTransaction&) {
    log_ += "<drop>";
    waiting_.clear();
  }

  FrontSettings settings_;
  ConnectionFacts facts_;
  std::unique_ptr<DeliveryFront> front_;
  std::string buffer_, sent_, log_, body_;
  std::vector<uint32_t> waiting_, good_;
  std::vector<std::string> told_;
  unsigned transaction_ = 0, recipients_ = 0, turn_ = 0;
  const uint8_t fates_;
  bool delivering_ = false, over_ = false;
};

inline int run_delivery_front(const DeliveryProtocol& protocol, const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 2, size - 2);
  DeliveryFrontSession whole(protocol, data[0], data[1]), bytewise(protocol, data[0], data[1]);
  whole.arrive(input);
  for (size_t i = 0; i < input.size(); ++i) bytewise.arrive(input.substr(i, 1));
  whole.finish();
  bytewise.finish();
  const bool comparable = !whole.left_somebody() && !bytewise.left_somebody();
  expect(!comparable || whole.sent() == bytewise.sent(), "a front says the same however its input is cut");
  expect(whole.log() == bytewise.log(), "a front wants the same however its input is cut");
  return 0;
}

}  // namespace postern::fuzz

#endif
