// A backend handshake under fuzzing, for any protocol. Input: two bytes of plan, then the backend's bytes. Held
// to be true: the handshake is the same line by line and byte by byte; it ends; nothing of a user's control bytes
// is sent.
#ifndef POSTERN_T_FUZZ_BACK_FUZZ_H
#define POSTERN_T_FUZZ_BACK_FUZZ_H

#include <array>
#include <span>
#include <string>
#include <string_view>

#include "fuzz/expect.h"
#include "proto/protocol.h"

namespace postern::fuzz {

inline BackPlan back_plan(uint8_t a, uint8_t b) {
  static constexpr std::array<std::string_view, 4> kMechanisms{"", "PLAIN", "LOGIN", "XOAUTH2"};
  BackPlan plan;
  plan.user = (a & 1) != 0 ? "al\"ice" : "alice";
  plan.master = (a & 2) != 0 ? "admin" : "";
  plan.password = SecretString((a & 4) != 0 ? "p\r\nw" : "secret");
  plan.tls = static_cast<TlsUse>((a >> 3) % 3);
  plan.pipelining = (b & 1) != 0;
  plan.trusted = (b & 2) != 0;
  plan.client_asked_capabilities = (b & 4) != 0;
  plan.authenticate = (b & 32) == 0;
  plan.hostname = "mx.example.org";
  plan.login_name = "alice+x";
  plan.from_front = {{"PROTO", "ESMTP"}, {"HELO", "laptop"}};
  plan.mechanism = kMechanisms[(b >> 3) % kMechanisms.size()];
  plan.forward.session = "sid";
  plan.forward.remote = {*IpAddress::parse("192.0.2.7"), 1234};
  plan.forward.local = {*IpAddress::parse("192.0.2.1"), 110};
  plan.forward.forward = {{"foo", "bar"}};
  return plan;
}

class BackSession {
 public:
  BackSession(std::span<const Step> steps, uint8_t a, uint8_t b) : runner_(steps, back_plan(a, b), {200, 50}) {}

  void arrive(std::string_view bytes) {
    buffer_ += bytes;
    while (!over_ && !buffer_.empty()) {
      ScriptOutput out;
      const size_t taken = runner_.feed(buffer_, out);
      expect(taken <= buffer_.size(), "a handshake takes no more than there is");
      buffer_.erase(0, taken);
      const bool changed = out.event != ScriptOutput::Event::None;
      take(out);
      if (taken == 0 && !changed) return;
    }
  }

  const std::string& log() const { return log_; }

 private:
  void take(ScriptOutput& out) {
    log_ += out.send;
    log_ += out.to_client;
    for (const std::string& error : out.log_errors) log_ += "<" + error + ">";
    expect(out.send.find('\0') == std::string::npos, "a handshake sends no NUL");
    expect(out.to_client.empty() || out.to_client.ends_with("\r\n"), "clients get complete lines");
    if (out.event == ScriptOutput::Event::UpgradeTls) upgrade();
    if (out.event == ScriptOutput::Event::Accepted) end("accepted " + out.accepted.line);
    if (out.event == ScriptOutput::Event::Failed) end("failed " + out.failure.log_text + out.failure.reply);
  }

  void upgrade() {
    expect(!std::exchange(tls_, true), "TLS begins once");
    ScriptOutput out;
    runner_.on_tls(out);
    take(out);
  }

  void end(const std::string& how) {
    log_ += "<" + how + ">";
    over_ = true;
  }

  ScriptRunner runner_;
  std::string buffer_, log_;
  bool over_ = false, tls_ = false;
};

inline int run_back(std::span<const Step> steps, const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 2, size - 2);
  BackSession lines(steps, data[0], data[1]), bytewise(steps, data[0], data[1]);
  for (size_t at = 0; at < input.size();) {
    const size_t end = std::min(input.find('\n', at), input.size() - 1) + 1;
    lines.arrive(input.substr(at, end - at));
    for (; at < end; ++at) bytewise.arrive(input.substr(at, 1));
  }
  expect(lines.log() == bytewise.log(), "a handshake is the same however its input is cut");
  return 0;
}
inline int run_back(const Protocol& protocol, const uint8_t* data, size_t size) {
  return run_back(protocol.back.steps, data, size);
}

}  // namespace postern::fuzz

#endif
