// AUTH-41 to AUTH-44, and what is ours: nobody gains by guessing side by side.
#include "auth/attempts.h"

#include <gtest/gtest.h>

namespace postern {
namespace {

using Turn = Attempts::Turn;
using Verdict = Attempts::Verdict;
using std::chrono::milliseconds;
using std::chrono::seconds;

class AttemptsTest : public testing::Test {
 protected:
  Turn begins(uint64_t ticket, const char* ip = "192.0.2.1") {
    return attempts_.begins(ticket, *IpAddress::parse(ip), now_);
  }
  Turn wrong(uint64_t ticket, uint64_t mark = 0) { return attempts_.ends(ticket, Verdict::Wrong, mark, now_); }
  Turn right(uint64_t ticket) { return attempts_.ends(ticket, Verdict::Right, 0, now_); }
  // Goes on to the next turn: "4.0: 2 3", the seconds since the last call and who it is.
  std::string next() {
    const auto due = attempts_.next();
    if (!due) return "nobody";
    const auto waited = std::chrono::duration_cast<milliseconds>(std::max(*due, now_) - now_);
    now_ = std::max(*due, now_);
    std::string out = std::to_string(waited.count() / 1000) + ":";
    for (const uint64_t ticket : attempts_.take_due(now_)) out += " " + std::to_string(ticket);
    return out;
  }

  Attempts attempts_{5};
  Instant now_{seconds(1000)};
};

TEST_F(AttemptsTest, InnocentAddressesRunSideBySide) {
  for (uint64_t i = 1; i <= 50; ++i) EXPECT_EQ(begins(i), Turn::Now);
  for (uint64_t i = 1; i <= 50; ++i) EXPECT_EQ(right(i), Turn::Now);
  EXPECT_EQ(next(), "nobody");
}

TEST_F(AttemptsTest, OneAfterTheOtherAsAPenaltyDelays) {  // AUTH-41
  EXPECT_EQ(begins(1), Turn::Now);
  EXPECT_EQ(wrong(1), Turn::Now);
  EXPECT_EQ(begins(2), Turn::Later);
  EXPECT_EQ(begins(3), Turn::Later);
  EXPECT_EQ(begins(4, "192.0.2.2"), Turn::Now) << "another address";
  EXPECT_EQ(next(), "4: 2");
  EXPECT_EQ(wrong(2), Turn::Now);
  EXPECT_EQ(next(), "8: 3") << "8 s after the second one failed, not after it came";
  EXPECT_EQ(wrong(3), Turn::Now);
  EXPECT_EQ(next(), "nobody");
}

TEST_F(AttemptsTest, GuessesSideBySideAreToldOneByOne) {
  for (uint64_t i = 1; i <= 4; ++i) begins(i);
  EXPECT_EQ(wrong(1), Turn::Now);
  EXPECT_EQ(wrong(2), Turn::Later);
  EXPECT_EQ(right(3), Turn::Later) << "an early success would tell as much as an early failure";
  EXPECT_EQ(wrong(4), Turn::Later);
  EXPECT_EQ(next(), "4: 2");
  EXPECT_EQ(wrong(2), Turn::Now);
  EXPECT_EQ(next(), "8: 3");
  EXPECT_EQ(right(3), Turn::Now);
  EXPECT_EQ(next(), "0: 4");
  EXPECT_EQ(wrong(4), Turn::Now);
}

TEST_F(AttemptsTest, SuccessLetsAllGo) {
  begins(1);
  wrong(1);
  for (uint64_t i = 2; i <= 5; ++i) begins(i);
  EXPECT_EQ(next(), "4: 2");
  EXPECT_EQ(right(2), Turn::Now);
  EXPECT_EQ(next(), "0: 3 4 5");
  EXPECT_EQ(wrong(3), Turn::Now);
  EXPECT_EQ(wrong(4), Turn::Later) << "once more one by one";
}

TEST_F(AttemptsTest, TheEndOfThePenaltyLetsAllGo) {  // AUTH-42
  begins(1);
  wrong(1);
  for (uint64_t i = 2; i <= 4; ++i) begins(i);
  EXPECT_EQ(next(), "4: 2") << "and its database hangs";
  EXPECT_EQ(next(), "11: 3 4");
}

TEST_F(AttemptsTest, FailureInTheMiddleMovesTheEnd) {
  begins(1);
  wrong(1);
  begins(2);
  begins(3);
  EXPECT_EQ(next(), "4: 2");
  now_ += seconds(10);
  wrong(2);
  EXPECT_EQ(next(), "8: 3") << "not when the first failure's penalty would have ended";
}

TEST_F(AttemptsTest, ForgottenOnesHoldNobodyUp) {
  begins(1);
  wrong(1);
  for (uint64_t i = 2; i <= 4; ++i) begins(i);
  attempts_.forget(2, now_);
  EXPECT_EQ(next(), "4: 3");
  attempts_.forget(3, now_);
  EXPECT_EQ(next(), "4: 4");
  attempts_.forget(4, now_);
  EXPECT_EQ(next(), "nobody");
}

// The service gives it up, as any other that takes too long, before its turn has come.
TEST_F(AttemptsTest, OneThatEndsInTheLineHoldsNobodyUp) {
  begins(1);
  wrong(1);
  begins(2);
  begins(3);
  EXPECT_EQ(attempts_.ends(2, Verdict::None, 0, now_), Turn::Now);
  EXPECT_EQ(next(), "4: 3");
  EXPECT_EQ(wrong(3), Turn::Now);
  begins(4);
  EXPECT_EQ(attempts_.ends(4, Verdict::None, 0, now_), Turn::Now);
  EXPECT_EQ(next(), "nobody");
}

TEST_F(AttemptsTest, TheSamePasswordAgainIsNoFailure) {  // AUTH-43
  begins(1);
  begins(2);
  begins(3);
  EXPECT_EQ(wrong(1, 77), Turn::Now);
  EXPECT_EQ(wrong(2, 77), Turn::Later);
  EXPECT_EQ(next(), "4: 2");
  EXPECT_EQ(wrong(2, 77), Turn::Now);
  EXPECT_EQ(begins(4), Turn::Later);
  EXPECT_EQ(next(), "4: 4") << "still 4 s";
}

TEST_F(AttemptsTest, SomeWaitAndNoMore) {
  begins(1);
  wrong(1);
  for (uint64_t i = 2; i <= 6; ++i) EXPECT_EQ(begins(i), Turn::Later);
  EXPECT_EQ(begins(7), Turn::TooMany);
  EXPECT_EQ(wrong(7), Turn::Now) << "nobody known here";
}

TEST_F(AttemptsTest, WhatTellsNothingWaitsForNobody) {
  begins(1);
  begins(2);
  wrong(1);
  EXPECT_EQ(attempts_.ends(2, Verdict::None, 0, now_), Turn::Now);
}

TEST_F(AttemptsTest, AnIpv6NetworkIsOneAddress) {  // DECISIONS 1
  begins(1, "2001:db8::1");
  wrong(1);
  EXPECT_EQ(begins(2, "2001:db8::2"), Turn::Later);
  EXPECT_EQ(begins(3, "2001:db8:0:1::1"), Turn::Now);
}

}  // namespace
}  // namespace postern
