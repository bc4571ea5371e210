#include "base/secret.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace postern {
namespace {

TEST(SecretString, KeepsEveryByte) {
  SecretString s(std::string_view("\0a", 2));
  s.append("b");
  EXPECT_EQ(s.reveal(), std::string_view("\0ab", 3));
  EXPECT_EQ(s.size(), 3u);
}

TEST(SecretString, GrowsFarBeyondItsFirstBlock) {
  SecretString s;
  std::string expected;
  for (int i = 0; i < 1000; ++i) {
    s.append("0123456789");
    expected += "0123456789";
  }
  EXPECT_EQ(s.reveal(), expected);
}

TEST(SecretString, CopiesAreTheirOwn) {
  SecretString a("one"), b(a);
  b.append("two");
  a = b;
  b.wipe();
  EXPECT_EQ(a.reveal(), "onetwo");
  EXPECT_TRUE(b.empty());
  SecretString& same = a;
  a = same;
  EXPECT_EQ(a.reveal(), "onetwo");
}

TEST(SecretString, IsEmptyOnceMovedFrom) {
  SecretString a("one");
  SecretString b(std::move(a));
  EXPECT_TRUE(a.empty());
  SecretString c("old");
  c = std::move(b);
  EXPECT_TRUE(b.empty());
  EXPECT_EQ(c.reveal(), "one");
}

TEST(SecretString, IsOverwrittenWhenWiped) {
  char bytes[] = "secret";
  secure_zero(bytes, sizeof bytes);
  for (char c : bytes) EXPECT_EQ(c, 0);
}

TEST(SecretString, ComparesWhole) {
  EXPECT_TRUE(equal_constant_time("abc", "abc"));
  EXPECT_TRUE(equal_constant_time("", ""));
  EXPECT_FALSE(equal_constant_time("abc", "abd"));
  EXPECT_FALSE(equal_constant_time("abc", "abcd"));
  EXPECT_FALSE(equal_constant_time("", "a"));
}

}  // namespace
}  // namespace postern
