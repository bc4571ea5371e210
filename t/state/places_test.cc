#include "state/places.h"

#include <gtest/gtest.h>

namespace postern {
namespace {

SessionStarted session(const std::string& user, const std::string& remote, const std::string& service = "imap") {
  SessionStarted s;
  s.user = user;
  s.service = service;
  s.remote = {IpAddress::parse(remote).value_or(IpAddress()), 50000};
  return s;
}

ReserveSession wish(const std::string& user, const std::string& address, uint32_t max_user, uint32_t max_userip = 0) {
  ReserveSession w;
  w.user = user;
  w.service = "imap";
  w.address = IpAddress::parse(address).value_or(IpAddress());
  w.max_user = max_user;
  w.max_userip = max_userip;
  return w;
}

// ANVIL-5, ANVIL-7
TEST(Places, AreCountedByServiceUserAndAddress) {
  Places places;
  places.add({1, 1}, session("joe", "192.0.2.1"));
  places.add({1, 1}, session("joe", "192.0.2.1"));
  places.add({2, 1}, session("joe", "192.0.2.2"));
  places.add({1, 2}, session("joe", "192.0.2.1", "pop3"));
  places.add({1, 3}, session("jim", "192.0.2.1"));
  EXPECT_EQ(places.of_user(wish("joe", "192.0.2.1", 0)), 2u);
  EXPECT_EQ(places.of_userip(wish("joe", "192.0.2.1", 0)), 1u);
  EXPECT_EQ(places.of_userip(wish("joe", "192.0.2.9", 0)), 0u);
  EXPECT_EQ(places.of_user(wish("nobody", "192.0.2.1", 0)), 0u);
  EXPECT_EQ(places.check(wish("joe", "192.0.2.1", 0, 0)), PlaceAnswer::Granted);
  EXPECT_EQ(places.check(wish("joe", "192.0.2.1", 3, 2)), PlaceAnswer::Granted);
  EXPECT_EQ(places.check(wish("joe", "192.0.2.1", 2, 2)), PlaceAnswer::UserLimit);
  EXPECT_EQ(places.check(wish("joe", "192.0.2.1", 3, 1)), PlaceAnswer::UserIpLimit);
  EXPECT_EQ(places.check(wish("joe", "192.0.2.9", 3, 1)), PlaceAnswer::Granted);
}

// As with mail_max_userip_connections, an address is an address: no network of an IPv6 user counts as one.
TEST(Places, Ipv6AddressesCountEachForItself) {
  Places places;
  places.add({1, 1}, session("joe", "2001:db8::1"));
  EXPECT_EQ(places.of_userip(wish("joe", "2001:db8::2", 0)), 0u);
  EXPECT_EQ(places.of_userip(wish("joe", "2001:db8::1", 0)), 1u);
}

TEST(Places, AreFreeAgain) {
  Places places;
  places.add({1, 1}, session("joe", "192.0.2.1"));
  places.remove({1, 2}, session("joe", "192.0.2.1"));
  places.remove({1, 1}, session("joe", "192.0.2.2"));
  EXPECT_EQ(places.of_user(wish("joe", "192.0.2.1", 0)), 1u);
  places.remove({1, 1}, session("joe", "192.0.2.1"));
  places.remove({1, 1}, session("joe", "192.0.2.1"));
  EXPECT_EQ(places.of_user(wish("joe", "192.0.2.1", 0)), 0u);
  places.each(wish("joe", "192.0.2.1", 0), [](const SessionKey&, const IpAddress&) { return ADD_FAILURE(), true; });
}

}  // namespace
}  // namespace postern
