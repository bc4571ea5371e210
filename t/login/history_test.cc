#include "login/history.h"

#include <gtest/gtest.h>

namespace postern {
namespace {

using namespace std::chrono_literals;
const Instant kStart = Instant(100s);

LoginHistory failed(AttemptEnd how, unsigned attempts = 1) {
  LoginHistory h;
  h.connected = kStart;
  for (unsigned i = 0; i < attempts; ++i) h.begin_attempt(kStart + 1s);
  h.last = how;
  return h;
}

TEST(LoginHistory, SumsUpAsTheReferenceDoes) {
  LoginHistory idle;
  idle.connected = kStart;
  EXPECT_EQ(idle.summary(kStart + 3s), "no auth attempts in 3 secs");
  EXPECT_EQ(failed(AttemptEnd::AuthFailed, 2).summary(kStart + 4s), "auth failed, 2 attempts in 3 secs");
  EXPECT_EQ(failed(AttemptEnd::ProxyRefused).summary(kStart + 4s), "proxy dest auth failed");
  EXPECT_EQ(failed(AttemptEnd::TempFail).summary(kStart + 4s), "auth service reported temporary failure");
  EXPECT_EQ(failed(AttemptEnd::PlaintextDisallowed).summary(kStart + 4s), "tried to use disallowed plaintext auth");
  EXPECT_EQ(failed(AttemptEnd::PlaintextCommandRefused).summary(kStart + 1s),
            "auth failed, 1 attempts in 0 secs");  // LOG-21
  EXPECT_EQ(failed(AttemptEnd::Aborted).summary(kStart + 4s), "aborted authentication");
}

// LOG: an earlier success also covers nologin and referrals
TEST(LoginHistory, CallsALoginThatCameToNothingAnInternalFailure) {
  LoginHistory h = failed(AttemptEnd::LoggedInElsewhere);
  h.successes = 1;
  EXPECT_EQ(h.summary(kStart + 4s), "internal failure, 1 successful auths");
}

TEST(LoginHistory, SaysWhatWasUnderWay) {
  LoginHistory h = failed(AttemptEnd::None);
  h.now_doing = LoginHistory::Now::SaslPending;
  EXPECT_EQ(h.summary(kStart + 4s), "client didn't finish SASL auth, waited 3 secs");
  h.now_doing = LoginHistory::Now::Authenticating;
  EXPECT_EQ(h.summary(kStart + 4s), "disconnected while authenticating, waited 3 secs");
  h.now_doing = LoginHistory::Now::Finishing;
  EXPECT_EQ(h.summary(kStart + 4s), "disconnected while finishing login, waited 3 secs");
}

TEST(LoginHistory, SaysThatAuthWasNotReady) {
  LoginHistory h;
  h.connected = kStart;
  h.auth_was_ready = false;
  EXPECT_EQ(h.summary(kStart + 2s), "disconnected before auth was ready, waited 2 secs");
}

// IMAP-89
TEST(LoginHistory, NamesTheLimitOfConnections) {
  LoginHistory h;
  h.begin_attempt(h.connected);
  h.last = attempt_end_of(AuthResult::TooMany);
  h.limit.value = 10;
  EXPECT_EQ(h.summary(h.connected), "mail_max_userip_connections=10");
}

}  // namespace
}  // namespace postern
