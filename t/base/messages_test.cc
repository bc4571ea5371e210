#include "ipc/messages.h"

#include <gtest/gtest.h>

#include <set>

namespace postern {
namespace {

template <class M>
M round_trip(const M& in) {
  std::string bytes;
  Writer(bytes).put(in);
  M out;
  Reader reader(bytes);
  reader.get(out);
  EXPECT_TRUE(reader.ok() && reader.at_end()) << M::kName;
  std::string again;
  Writer(again).put(out);
  EXPECT_EQ(again, bytes) << M::kName;
  return out;
}

TEST(Messages, EachHasItsOwnNumberAndName) {
  std::set<std::string_view> names;
  for (size_t i = 0; i < Messages::kCount; ++i)
    EXPECT_TRUE(Messages::with_type(static_cast<uint8_t>(i), [&]<class M>() {
      EXPECT_EQ(Messages::number_of<M>(), i);
      EXPECT_TRUE(names.insert(M::kName).second) << M::kName;
    }));
  EXPECT_FALSE(Messages::with_type(static_cast<uint8_t>(Messages::kCount), []<class M>() {}));
}

TEST(Messages, TravelOnlyWhereTheTopologyHasAnEdge) {
  for (size_t i = 0; i < Messages::kCount; ++i)
    Messages::with_type(static_cast<uint8_t>(i),
                        []<class M>() { EXPECT_TRUE(connected(M::kDirection.from, M::kDirection.to)) << M::kName; });
}

TEST(Messages, RoundTripWithDefaults) {
  for (size_t i = 0; i < Messages::kCount; ++i)
    Messages::with_type(static_cast<uint8_t>(i), []<class M>() { round_trip(M()); });
}

TEST(Messages, KeepWhatAnAuthenticationSays) {
  AuthStart in;
  in.id = 7;
  in.mechanism = "PLAIN";
  in.initial = SecretString(std::string_view("\0alice\0pw", 9));
  in.subject.service = "pop3";
  in.subject.remote = {*IpAddress::parse("2001:db8::7"), 1234};
  in.subject.forward = {{"foo", "bar"}, {"x", ""}};
  const AuthStart out = round_trip(in);
  EXPECT_EQ(out.id, 7u);
  ASSERT_TRUE(out.initial);
  EXPECT_EQ(out.initial->reveal(), in.initial->reveal());
  EXPECT_EQ(out.subject.remote, in.subject.remote);
  EXPECT_EQ(out.subject.forward, in.subject.forward);
}

TEST(Messages, KeepWhatAReplySays) {
  AuthReply in;
  in.result = AuthResult::Ok;
  in.extra = {{"proxy", ""}, {"host", "b"}, {"forward_a", "1"}};
  in.addresses = {*IpAddress::parse("192.0.2.1"), *IpAddress::parse("2001:db8::1")};
  in.password = SecretString("pw");
  const AuthReply out = round_trip(in);
  EXPECT_EQ(out.extra, in.extra);
  EXPECT_EQ(out.addresses, in.addresses);
  EXPECT_EQ(out.password->reveal(), "pw");
}

TEST(Messages, RefuseResultsThatDoNotExist) {
  std::string bytes;
  Writer(bytes).put(AuthReply{});
  bytes[8] = static_cast<char>(AuthResult::kCount);
  AuthReply out;
  Reader reader(bytes);
  reader.get(out);
  EXPECT_FALSE(reader.ok());
}

}  // namespace
}  // namespace postern
