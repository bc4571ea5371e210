#include "base/rarely.h"

#include <gtest/gtest.h>

namespace postern {
namespace {

constexpr Instant at(int seconds) { return Instant(std::chrono::seconds(seconds)); }

TEST(Rarely, OncePerKeyAndPeriod) {
  Rarely rarely(Milliseconds(10'000));
  EXPECT_TRUE(rarely.says("a", at(0)));
  EXPECT_TRUE(rarely.says("b", at(5)));
  EXPECT_FALSE(rarely.says("a", at(9)));
  EXPECT_TRUE(rarely.says("a", at(10)));
  EXPECT_FALSE(rarely.says("b", at(14)));
  EXPECT_TRUE(rarely.says("b", at(15)));
}

TEST(Rarely, ManyKeysAreSilence) {
  Rarely rarely(Milliseconds(10'000), 2);
  EXPECT_TRUE(rarely.says("a", at(0)));
  EXPECT_TRUE(rarely.says("b", at(1)));
  EXPECT_FALSE(rarely.says("c", at(9)));
  EXPECT_TRUE(rarely.says("c", at(10)));
}

}  // namespace
}  // namespace postern
