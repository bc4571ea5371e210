#include "base/address.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace postern {
namespace {

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value_or(IpAddress()); }
Network network(std::string_view text) { return Network::parse(text).value_or(Network()); }

TEST(IpAddress, ReadsBothFamilies) {
  EXPECT_EQ(ip("192.0.2.1").family(), IpAddress::Family::V4);
  EXPECT_EQ(ip("2001:db8::1").family(), IpAddress::Family::V6);
  EXPECT_EQ(ip("[2001:db8::1]"), ip("2001:db8::1"));
  EXPECT_EQ(ip("2001:DB8:0::1").text(), "2001:db8::1");
}

TEST(IpAddress, RefusesWhatIsNone) {
  for (const char* text : {"", "192.0.2", "192.0.2.256", "192.0.2.1 ", "example.org", "[192.0.2.1", "::g", "1.2.3.4/8"})
    EXPECT_FALSE(IpAddress::parse(text)) << text;
  EXPECT_FALSE(IpAddress::parse(std::string_view("192.0.2.1\0x", 11)));
}

TEST(IpAddress, TakesMappedAddressesAsV4) {
  EXPECT_EQ(ip("::ffff:192.0.2.1"), ip("192.0.2.1"));
  EXPECT_EQ(IpAddress::from_bytes(std::string_view("\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1", 16)), ip("192.0.2.1"));
}

TEST(IpAddress, TakesOnly4Or16Bytes) {
  EXPECT_TRUE(IpAddress::from_bytes("abc").is_none());
  EXPECT_TRUE(IpAddress::from_bytes("").is_none());
  EXPECT_EQ(IpAddress::from_bytes(ip("2001:db8::1").bytes()), ip("2001:db8::1"));
}

TEST(IpAddress, KnowsLoopbackAndAny) {
  EXPECT_TRUE(ip("127.9.9.9").is_loopback());
  EXPECT_TRUE(ip("::1").is_loopback());
  EXPECT_FALSE(ip("128.0.0.1").is_loopback());
  EXPECT_TRUE(ip("0.0.0.0").is_any());
  EXPECT_TRUE(ip("::").is_any());
  EXPECT_FALSE(ip("::1").is_any());
}

TEST(Endpoint, IsReadableAndSurvivesSockaddr) {
  for (const Endpoint& e : {Endpoint{ip("192.0.2.1"), 143}, Endpoint{ip("2001:db8::1"), 65535}}) {
    sockaddr_storage storage{};
    ASSERT_GT(e.to_sockaddr(storage), 0u);
    EXPECT_EQ(Endpoint::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage)), e);
  }
  EXPECT_EQ((Endpoint{ip("192.0.2.1"), 143}.text()), "192.0.2.1:143");
  EXPECT_EQ((Endpoint{ip("2001:db8::1"), 143}.text()), "[2001:db8::1]:143");
}

TEST(Endpoint, IsNoneForOtherFamilies) {
  sockaddr_storage storage{};
  EXPECT_EQ(Endpoint{}.to_sockaddr(storage), 0u);
  storage.ss_family = AF_UNIX;
  EXPECT_TRUE(Endpoint::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage)).ip.is_none());
}

TEST(Network, HoldsWhatItsBitsSay) {
  EXPECT_TRUE(network("10.0.0.0/8").contains(ip("10.255.1.2")));
  EXPECT_FALSE(network("10.0.0.0/8").contains(ip("11.0.0.0")));
  EXPECT_TRUE(network("192.0.2.128/25").contains(ip("192.0.2.129")));
  EXPECT_FALSE(network("192.0.2.128/25").contains(ip("192.0.2.127")));
  EXPECT_TRUE(network("2001:db8:8000::/33").contains(ip("2001:db8:ffff::1")));
  EXPECT_FALSE(network("2001:db8:8000::/33").contains(ip("2001:db8:7fff::1")));
  EXPECT_TRUE(network("0.0.0.0/0").contains(ip("203.0.113.9")));
}

TEST(Network, IsOneAddressWithoutBits) {
  EXPECT_TRUE(network("192.0.2.1").contains(ip("192.0.2.1")));
  EXPECT_FALSE(network("192.0.2.1").contains(ip("192.0.2.2")));
}

TEST(Network, NeverMixesFamilies) {
  EXPECT_FALSE(network("0.0.0.0/0").contains(ip("::1")));
  EXPECT_FALSE(network("::/0").contains(ip("127.0.0.1")));
  EXPECT_FALSE(network("::/0").contains(IpAddress()));
}

TEST(Network, RefusesWhatIsNone) {
  for (const char* text : {"10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8x", "/8", "host/8"})
    EXPECT_FALSE(Network::parse(text)) << text;
}

}  // namespace
}  // namespace postern
