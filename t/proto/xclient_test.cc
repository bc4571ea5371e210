#include "proto/xclient.h"

#include <gtest/gtest.h>

#include "base/base64.h"

namespace postern {
namespace {

using std::string;

string forward_of(std::string_view list) { return "FORWARD=" + base64_encode(list); }

TEST(XclientParser, TakesNamesOf23And24InAnyCase) {
  const Xclient x = parse_xclient(
      "addr=9.8.7.6 Port=777 SESSION=abc TTL=3 DESTADDR=2001:db8::1 DESTPORT=110 DESTNAME=mail.example.org "
      "CLIENT-TRANSPORT=TLS");
  EXPECT_TRUE(x.valid);
  EXPECT_EQ(x.facts.remote_ip, IpAddress::parse("9.8.7.6"));
  EXPECT_EQ(x.facts.remote_port, 777);
  EXPECT_EQ(x.facts.session, "abc");
  EXPECT_EQ(x.facts.ttl, 3u);
  EXPECT_EQ(x.facts.local_ip, IpAddress::parse("2001:db8::1"));
  EXPECT_EQ(x.facts.local_port, 110);
}

TEST(XclientParser, KeepsValidFieldsNextToInvalidOnes) {
  const Xclient x = parse_xclient("ADDR=9.8.7.6 PORT=0 TTL=3");
  EXPECT_FALSE(x.valid);
  EXPECT_EQ(x.facts.remote_ip, IpAddress::parse("9.8.7.6"));
  EXPECT_FALSE(x.facts.remote_port);
  EXPECT_EQ(x.facts.ttl, 3u);
}

TEST(XclientParser, IgnoresSessionsThatCannotBeLogged) {
  for (const string& id : {string(65, 'a'), string("a\"b"), string("<x>"), string("a\x01"), string()}) {
    const Xclient x = parse_xclient("SESSION=" + id);
    EXPECT_TRUE(x.valid);
    EXPECT_FALSE(x.facts.session) << id;
  }
  EXPECT_EQ(parse_xclient("SESSION=" + string(64, 'a')).facts.session, string(64, 'a'));
}

// POP-33
TEST(XclientParser, NeverLetsAForwardTokenEscapeItsPrefix) {
  const Xclient x = parse_xclient(forward_of("nopassword\tfoo=b\x01tr"));
  EXPECT_TRUE(x.valid);
  const std::vector<std::pair<string, string>> expected{{"nopassword", ""}, {"foo", "b\tr"}};
  EXPECT_EQ(x.facts.forward, expected);
}

TEST(XclientParser, RefusesNulEmptyNamesAndBadEncodings) {
  EXPECT_FALSE(parse_xclient(forward_of("a=b\x01"
                                        "0c"))
                   .valid);
  EXPECT_FALSE(parse_xclient(forward_of(string("a=b\0c", 5))).valid);
  EXPECT_FALSE(parse_xclient(forward_of("=x")).valid);
  EXPECT_FALSE(parse_xclient(forward_of("a=b\t")).valid);
  EXPECT_FALSE(parse_xclient(forward_of("a=b\x01")).valid);
  EXPECT_FALSE(parse_xclient("FORWARD=a").valid);
  EXPECT_FALSE(parse_xclient("DESTNAME=a/c").valid);
}

TEST(XclientLine, RoundTripsThroughTheParser) {
  ForwardFacts facts;
  facts.session = "sid";
  facts.remote = {*IpAddress::parse("192.0.2.7"), 1234};
  facts.ttl = 4;
  facts.forward = {{"foo", "a\tb=c\n"}, {"x", ""}};
  const XclientLine line = format_xclient(facts);
  ASSERT_TRUE(line.complete);
  EXPECT_TRUE(line.text.starts_with("XCLIENT ADDR=192.0.2.7 PORT=1234 SESSION=sid TTL=4 FORWARD="));
  const Xclient x = parse_xclient(line.text.substr(8));
  EXPECT_TRUE(x.valid);
  EXPECT_EQ(x.facts.forward, facts.forward);
}

TEST(XclientLine, LeavesOutAnAddressThatThereIsNot) {
  ForwardFacts facts;
  facts.session = "sid";
  facts.ttl = 4;
  EXPECT_EQ(format_xclient(facts).text, "XCLIENT SESSION=sid TTL=4");
}

}  // namespace
}  // namespace postern
