#include "login/client.h"

#include <gtest/gtest.h>

#include "base/base64.h"

namespace postern {
namespace {

// LOG-5
TEST(SessionId, HasTimePortAndAddress) {
  const Endpoint remote{*IpAddress::parse("127.0.0.1"), 0x1234};
  const std::string id = make_session_id(0x0605040302010000ull, remote);
  ASSERT_EQ(id.size(), 16u);
  const auto raw = base64_decode(id);
  ASSERT_TRUE(raw);
  EXPECT_EQ(raw->substr(0, 6), std::string("\x00\x00\x01\x02\x03\x04", 6));
  EXPECT_EQ(raw->substr(6, 2), "\x34\x12");
  EXPECT_EQ(raw->substr(8), std::string("\x7f\x00\x00\x01", 4));
}

TEST(SessionId, IsNeverGivenTwice) {
  const Endpoint remote{*IpAddress::parse("2001:db8::1"), 1};
  const std::string a = make_session_id(1, remote), b = make_session_id(1, remote);
  EXPECT_EQ(a.size(), 32u);
  EXPECT_NE(a, b);
}

}  // namespace
}  // namespace postern
