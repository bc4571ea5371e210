// A transaction with a backend. Input: one byte of capabilities, one of recipients and the backend's kind, then the
// backend's bytes, which are the message, too. Held to be true: the transaction is the same line by line and byte by
// byte; each recipient has one answer when he is named and, if he was taken, one to the message, whenever the
// connection ends; what goes over the wire as a message ends once, at its end.
#include <array>
#include <vector>

#include "fuzz/expect.h"
#include "proto/smtp/lmtp.h"
#include "proto/smtp/message_text.h"

using namespace postern;
using fuzz::expect;

namespace {

constexpr std::array<std::string_view, 8> kCapabilities{
    "PIPELINING", "CHUNKING", "ENHANCEDSTATUSCODES", "8BITMIME", "SIZE 1000", "DSN", "SMTPUTF8", "XRCPTFORWARD"};

std::string capabilities(uint8_t bits) {
  std::string out;
  for (size_t i = 0; i < kCapabilities.size(); ++i)
    if ((bits >> i & 1) != 0) (out += kCapabilities[i]) += '\n';
  return out;
}

Envelope envelope(uint8_t bits) {
  Envelope e;
  e.sender = "a@b";
  e.body = "8BITMIME";
  e.size = 77;
  e.utf8 = (bits & 64) != 0;
  return e;
}

class Session {
 public:
  Session(uint8_t a, uint8_t b, std::string_view mail)
      : mail_(mail),
        pipelining_((a & 1) != 0),
        chunking_((a & 2) != 0),
        back_(kLmtp.backends[b & 1].make(capabilities(a), envelope(a))),
        answers_(1 + (b >> 1 & 3)) {
    for (uint32_t n = 0; n < answers_.size(); ++n) {
      Recipient recipient;
      recipient.number = n;
      recipient.address = "r" + std::to_string(n) + "@d";
      DeliveryBackOutput out;
      back_->add_recipient(recipient, n % 2 == 0 ? recipient.address : "other@d", {{"foo", "bar"}}, out);
      take(out);
    }
    go_on();
  }

  void arrive(std::string_view bytes) {
    buffer_ += bytes;
    while (!over_ && !buffer_.empty()) {
      DeliveryBackOutput out;
      const size_t taken = back_->feed(buffer_, out);
      expect(taken <= buffer_.size(), "no more is taken than there is");
      buffer_.erase(0, taken);
      take(out);
      go_on();
      if (taken == 0) return;
    }
  }

  // The connection ends here.
  void finish() {
    DeliveryBackOutput out;
    back_->fail({.kind = OutcomeKind::ProxyFailed}, out);
    take(out);
    go_on();
    for (const Answers& a : answers_) {
      expect(a.named == 1, "whoever is named has one answer");
      expect(a.final == (a.good ? 1u : 0u), "whoever was taken has one answer to the message");
    }
  }

  const std::string& log() const { return log_; }

 private:
  struct Answers {
    unsigned named = 0, final = 0;
    bool good = false;
  };

  void take(DeliveryBackOutput& out) {
    for (char c : out.send)
      expect(static_cast<unsigned char>(c) >= 0x20 || c == '\r' || c == '\n', "commands have no control bytes");
    expect(out.send.empty() || out.send.ends_with("\r\n"), "commands are complete");
    log_ += out.send;
    for (const auto& [number, outcome] : out.outcomes) {
      Answers& answers = answers_.at(number);
      if (begun_) expect(answers.named == 1 && answers.good, "only who was taken hears of the message");
      (begun_ ? answers.final : answers.named) += 1;
      if (!begun_) answers.good = outcome.is_good();
      if (begun_) expect(!outcome.is_good() || sent_, "no success before the message is out");
      log_ += "<" + std::to_string(number) + " " + std::to_string(static_cast<int>(outcome.kind)) + " " +
              std::to_string(outcome.reply.code) + ">";
    }
    if (out.event == DeliveryBackOutput::Event::SendMessage) send();
    if (out.event == DeliveryBackOutput::Event::GiveUp) over_ = true, log_ += "<giveup>";
  }

  // The message comes once everybody has an answer.
  void go_on() {
    for (const Answers& a : answers_)
      if (a.named == 0) return;
    if (std::exchange(begun_, true)) return;
    DeliveryBackOutput out;
    back_->begin_message(mail_.size(), out);
    take(out);
  }

  void send() {
    std::string wire;
    BodyState state;
    for (size_t at = 0; at < mail_.size(); at += 3) back_->encode(std::string_view(mail_).substr(at, 3), state, wire);
    back_->finish(state, wire);
    if (pipelining_) {
      expect(wire.ends_with("QUIT\r\n"), "the last word goes with the message");
      wire.resize(wire.size() - 6);
    }
    if (chunking_) expect(wire == mail_, "a chunk is the message");
    if (!chunking_)
      expect(("\r\n" + wire).find("\r\n.\r\n") == wire.size() - 3, "the end of data is at the end, and nowhere else");
    back_->message_sent();
    sent_ = true;
    log_ += "<sent>";
  }

  const std::string mail_;
  const bool pipelining_, chunking_;
  std::unique_ptr<DeliveryBack> back_;
  std::vector<Answers> answers_;
  std::string buffer_, log_;
  bool begun_ = false, sent_ = false, over_ = false;
};

std::string mail_of(std::string_view bytes) {
  std::string out;
  smtp::LineEnds ends;
  ends.append(bytes, out);
  ends.finish(out);
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::string mail = mail_of(input);
  Session lines(data[0], data[1], mail), bytewise(data[0], data[1], mail);
  for (size_t at = 0; at < input.size();) {
    const size_t end = std::min(input.find('\n', at), input.size() - 1) + 1;
    lines.arrive(input.substr(at, end - at));
    for (; at < end; ++at) bytewise.arrive(input.substr(at, 1));
  }
  lines.finish();
  bytewise.finish();
  expect(lines.log() == bytewise.log(), "a transaction is the same however its input is cut");
  return 0;
}
