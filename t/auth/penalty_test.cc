// AUC-10, AUTH-41 to AUTH-44 with a clock of the test's.
#include "auth/penalty.h"

#include <gtest/gtest.h>

namespace postern {
namespace {

using std::chrono::seconds;

class PenaltyTest : public testing::Test {
 protected:
  static IpAddress ip(const std::string& text) { return *IpAddress::parse(text); }
  int delay(const std::string& address) const {
    return static_cast<int>(penalty_.delay(ip(address), now_).count() / 1000);
  }
  void fail(const std::string& address) { penalty_.failed(ip(address), ++attempt_, now_); }

  Penalty penalty_;
  Instant now_{seconds(1000)};
  uint64_t attempt_ = 0;
};

TEST_F(PenaltyTest, Grows) {
  std::vector<int> seen{delay("192.0.2.1")};
  for (int i = 0; i < 5; ++i) {
    fail("192.0.2.1");
    seen.push_back(delay("192.0.2.1"));
  }
  EXPECT_EQ(seen, (std::vector<int>{0, 4, 8, 15, 15, 15}));
  EXPECT_EQ(delay("192.0.2.2"), 0);
}

TEST_F(PenaltyTest, EndsAtOnceAfterFifteenSeconds) {
  for (int i = 0; i < 3; ++i) fail("192.0.2.1");
  now_ += seconds(14);
  EXPECT_EQ(delay("192.0.2.1"), 15);
  now_ += seconds(1);
  EXPECT_EQ(delay("192.0.2.1"), 0);
  fail("192.0.2.1");
  EXPECT_EQ(delay("192.0.2.1"), 4) << "it begins anew";
}

TEST_F(PenaltyTest, EndsWithASuccess) {
  fail("192.0.2.1");
  penalty_.succeeded(ip("192.0.2.1"));
  EXPECT_EQ(delay("192.0.2.1"), 0);
  fail("192.0.2.1");
  EXPECT_EQ(delay("192.0.2.1"), 4);
}

TEST_F(PenaltyTest, TheSameAttemptCountsOnce) {  // AUTH-43
  for (int i = 0; i < 20; ++i) penalty_.failed(ip("192.0.2.1"), 77, now_);
  EXPECT_EQ(delay("192.0.2.1"), 4);
  now_ += seconds(10);
  penalty_.failed(ip("192.0.2.1"), 77, now_);
  now_ += seconds(5);
  EXPECT_EQ(delay("192.0.2.1"), 0) << "and does not move the time";
  penalty_.failed(ip("192.0.2.1"), 78, now_);
  EXPECT_EQ(delay("192.0.2.1"), 4);
  for (uint64_t other = 100; other < 110; ++other) penalty_.failed(ip("192.0.2.3"), other, now_);
  penalty_.failed(ip("192.0.2.3"), 78, now_);
  now_ += seconds(14);
  penalty_.failed(ip("192.0.2.3"), 100, now_);  // ten others came since
  now_ += seconds(10);
  EXPECT_EQ(delay("192.0.2.3"), 15);
}

TEST_F(PenaltyTest, UnknownAttemptsAlwaysCount) {
  penalty_.failed(ip("192.0.2.1"), 0, now_);
  penalty_.failed(ip("192.0.2.1"), 0, now_);
  EXPECT_EQ(delay("192.0.2.1"), 8);
}

// DECISIONS 1: per /64; the whole /48 once 8 of its /64 have failed.
TEST_F(PenaltyTest, Ipv6) {
  fail("2001:db8:1:1::1");
  EXPECT_EQ(delay("2001:db8:1:1:ffff::2"), 4) << "the same /64";
  EXPECT_EQ(delay("2001:db8:1:2::1"), 0);
  for (int i = 2; i <= 7; ++i) fail("2001:db8:1:" + std::to_string(i) + "::1");
  EXPECT_EQ(delay("2001:db8:1:99::1"), 0);
  fail("2001:db8:1:7::2");
  EXPECT_EQ(delay("2001:db8:1:99::1"), 0) << "still seven of them";
  fail("2001:db8:1:8::1");
  EXPECT_EQ(delay("2001:db8:1:99::1"), 4);
  fail("2001:db8:1:9::1");
  EXPECT_EQ(delay("2001:db8:1:99::1"), 8);
  EXPECT_EQ(delay("2001:db8:2:99::1"), 0);
  penalty_.succeeded(ip("2001:db8:1:99::1"));
  EXPECT_EQ(delay("2001:db8:1:99::1"), 8) << "one good login does not speak for the others";
  now_ += seconds(15);
  EXPECT_EQ(delay("2001:db8:1:99::1"), 0);
}

TEST_F(PenaltyTest, MappedAddressesAreIpv4) {
  fail("::ffff:192.0.2.1");
  EXPECT_EQ(delay("192.0.2.1"), 4);
}

TEST_F(PenaltyTest, ForgetsAndStaysSmall) {
  for (int i = 0; i < 100; ++i) fail("10.0.0." + std::to_string(i));
  EXPECT_EQ(penalty_.size(), 100u);
  now_ += seconds(29);
  fail("192.0.2.1");
  EXPECT_EQ(penalty_.size(), 1u);
  Penalty small(50);
  for (int i = 0; i < 200; ++i) small.failed(ip("10.0.0." + std::to_string(i)), 0, now_);
  for (int i = 0; i < 200; ++i) small.failed(ip("2001:db8:" + std::to_string(i) + "::1"), 0, now_);
  EXPECT_LE(small.size(), 50u);
  EXPECT_EQ(small.delay(ip("2001:db8:199::1"), now_), seconds(4)) << "the newest stays";
  EXPECT_EQ(small.delay(ip("10.0.0.0"), now_), seconds(0));
}

TEST_F(PenaltyTest, NoAddressNoPenalty) {
  penalty_.failed(IpAddress(), 1, now_);
  EXPECT_EQ(penalty_.size(), 0u);
  EXPECT_EQ(penalty_.delay(IpAddress(), now_), seconds(0));
}

}  // namespace
}  // namespace postern
