#include "login/history.h"

#include <fmt/core.h>

#include <array>

namespace postern {

namespace {

// Empty: "auth failed, N attempts in S secs".
constexpr std::array<std::string_view, static_cast<size_t>(AttemptEnd::kCount)> kWords{
    "",
    "",
    "authorization failed",
    "auth service reported temporary failure",
    "user disabled",
    "password expired",
    "sent invalid base64 in response",
    "tried to use unsupported auth mechanism",
    "tried to use disallowed plaintext auth",
    "",
    "proxy dest auth failed",
    "",
    "auth process communication failure",
    "aborted authentication",
    ""};

long seconds(Instant from, Instant to) {
  return static_cast<long>(std::chrono::duration_cast<std::chrono::seconds>(to - from).count());
}

}  // namespace

AttemptEnd attempt_end_of(AuthResult result) {
  static constexpr std::array<AttemptEnd, static_cast<size_t>(AuthResult::kCount)> kEnds{
      AttemptEnd::LoggedInElsewhere,    AttemptEnd::AuthFailed,      AttemptEnd::AuthzFailed,
      AttemptEnd::UserDisabled,         AttemptEnd::PasswordExpired, AttemptEnd::TempFail,
      AttemptEnd::UnsupportedMechanism, AttemptEnd::InvalidBase64,   AttemptEnd::TooManyConnections};
  return kEnds[static_cast<size_t>(result)];
}

AttemptEnd attempt_end_of(const PolicyRefusal& r) {
  if (r.reason == refusal::kUnsupportedMechanism) return AttemptEnd::UnsupportedMechanism;
  if (r.reason == refusal::kBadEncoding) return AttemptEnd::InvalidBase64;
  return r.mechanism.empty() ? AttemptEnd::PlaintextCommandRefused : AttemptEnd::PlaintextDisallowed;
}

std::string ReachedLimit::text() const { return fmt::format("{} ({}={})", words, setting, value); }

std::string LoginHistory::summary(Instant now) const {
  if (!auth_was_ready)
    return fmt::format("disconnected before auth was ready, waited {} secs", seconds(connected, now));
  if (last == AttemptEnd::TooManyConnections) return fmt::format("{}={}", limit.setting, limit.value);
  if (attempts == 0) return fmt::format("no auth attempts in {} secs", seconds(connected, now));
  if (attempts == 1 && successes == 0) {
    const long waited = seconds(first_attempt, now);
    if (now_doing == Now::SaslPending) return fmt::format("client didn't finish SASL auth, waited {} secs", waited);
    if (now_doing == Now::Authenticating)
      return fmt::format("disconnected while authenticating, waited {} secs", waited);
    if (last == AttemptEnd::Aborted) return std::string(kWords[static_cast<size_t>(last)]);
  }
  if (attempts == 1 && now_doing == Now::Finishing)
    return fmt::format("disconnected while finishing login, waited {} secs", seconds(first_attempt, now));
  if (last == AttemptEnd::AuthLost || last == AttemptEnd::ProxyRefused)
    return std::string(kWords[static_cast<size_t>(last)]);
  if (successes > 0) return fmt::format("internal failure, {} successful auths", successes);
  const std::string_view words = kWords[static_cast<size_t>(last)];
  if (last == AttemptEnd::AuthzFailed)
    return fmt::format("{}, {} attempts in {} secs", words, attempts, seconds(first_attempt, now));
  if (!words.empty() && last != AttemptEnd::Aborted) return std::string(words);
  return fmt::format("auth failed, {} attempts in {} secs", attempts, seconds(first_attempt, now));
}

}  // namespace postern
