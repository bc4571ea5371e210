// A front under fuzzing, for any protocol. Input: one byte of facts and settings, one that chooses answers, then
// the client's bytes. Held to be true: what the front does is the same whole and byte by byte; it sends complete
// lines without control bytes; it takes no more than there is.
#ifndef POSTERN_T_FUZZ_FRONT_FUZZ_H
#define POSTERN_T_FUZZ_FRONT_FUZZ_H

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "fuzz/expect.h"
#include "proto/protocol.h"

namespace postern::fuzz {

class FrontSession {
 public:
  FrontSession(const Protocol& protocol, uint8_t facts, uint8_t answers) : answers_(answers) {
    settings_.mechanisms = {{"PLAIN", true, false}, {"LOGIN", true, false}, {"CRAM-MD5", false, false}};
    settings_.max_line = 200;
    settings_.max_literal = 300;
    settings_.max_sasl = 300;
    settings_.hostname = "mx.example.org";
    settings_.extensions = {"8BITMIME", "BINARYMIME", "BURL", "SIZE"};
    settings_.id_retain = true;
    settings_.id_log = "*";
    settings_.sieve = {"fuzz", "fileinto", "mailto", ""};
    settings_.allow_plaintext = (facts & 16) != 0;
    settings_.tls_required = (facts & 32) != 0;
    facts_ = {(facts & 1) != 0, (facts & 2) != 0, (facts & 4) != 0, (facts & 8) != 0};
    front_ = protocol.make_front(settings_, facts_);
    FrontOutput out;
    front_->greet(out);
    take(out);
  }

  void arrive(std::string_view bytes) {
    buffer_ += bytes;
    while (!over_ && !buffer_.empty()) {
      FrontOutput out;
      const size_t taken = front_->feed(buffer_, out);
      expect(taken <= buffer_.size(), "a front takes no more than there is");
      buffer_.erase(0, taken);
      const bool asked = out.request.index() != 0;
      take(out);
      if (taken == 0 && !asked) return;
    }
  }

  // Everything it did; the order of notes among the rest depends on the reads and is left out.
  const std::string& log() const { return log_; }
  const std::string& notes() const { return notes_; }

 private:
  void take(FrontOutput& out) {
    check_lines(out.send);
    log_ += out.send;
    for (const std::string& note : out.log_notes) notes_ += note + "\n";
    std::visit([this](auto& request) { on(request); }, out.request);
  }

  static void check_lines(std::string_view sent) {
    expect(sent.empty() || sent.ends_with("\r\n"), "a front sends complete lines");
    char before = 0;
    for (char c : sent) {
      const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
      expect(!control || c == '\r' || (c == '\n' && before == '\r'), "a front sends no control bytes");
      expect(before != '\r' || c == '\n', "a front sends no lone CR");
      before = c;
    }
  }

  void on(std::monostate) {}
  void on(BeginTls&) {
    log_ += "<tls>";
    facts_.tls_active = facts_.secured = true;
    front_->set_facts(facts_);
    FrontOutput out;
    front_->on_tls(out);
    take(out);
  }
  void on(AuthBegin& request) {
    log_ += "<auth " + request.mechanism + (request.initial ? " " + std::string(request.initial->reveal()) : "") + ">";
    answer();
  }
  void on(AuthResponse& request) {
    log_ += "<response " + std::string(request.data.reveal()) + ">";
    answer();
  }
  void on(AuthAbort&) { log_ += "<abort>"; }
  void on(ForwardedFacts& facts) { log_ += "<forwarded " + std::to_string(facts.forward.size()) + ">"; }
  void on(PolicyRefusal&) { log_ += "<refused>"; }
  void on(Farewell& farewell) {
    expect(!farewell.reason.empty(), "a farewell has a reason");
    over_ = true;
  }

  void answer() {
    static constexpr std::array<AnswerKind, 8> kKinds{AnswerKind::Challenge,
                                                      AnswerKind::AuthFailed,
                                                      AnswerKind::Challenge,
                                                      AnswerKind::BackendRefused,
                                                      AnswerKind::LoginDisabled,
                                                      AnswerKind::LocalAccepted,
                                                      AnswerKind::UnsupportedMechanism,
                                                      AnswerKind::TempFail};
    Answer answer{kKinds[answers_ % kKinds.size()], "some text", {"line", ""}, {}};
    answers_ = static_cast<uint8_t>(answers_ * 5 + 3);
    over_ = over_ || answer.kind == AnswerKind::LocalAccepted;
    FrontOutput out;
    front_->answer(answer, out);
    take(out);
  }

  FrontSettings settings_;
  ConnectionFacts facts_;
  std::unique_ptr<Front> front_;
  std::string buffer_, log_, notes_;
  uint8_t answers_;
  bool over_ = false;
};

inline int run_front(const Protocol& protocol, const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 2, size - 2);
  FrontSession whole(protocol, data[0], data[1]), bytewise(protocol, data[0], data[1]);
  whole.arrive(input);
  for (size_t i = 0; i < input.size(); ++i) bytewise.arrive(input.substr(i, 1));
  expect(whole.log() == bytewise.log(), "a front does the same however its input is cut");
  expect(whole.notes() == bytewise.notes(), "a front notes the same however its input is cut");
  return 0;
}

}  // namespace postern::fuzz

#endif
