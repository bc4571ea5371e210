#include "proto/smtp/xclient.h"

#include <gtest/gtest.h>

#include "base/base64.h"

namespace postern::smtp {
namespace {

using std::string;

ForwardFacts some_facts() {
  ForwardFacts facts;
  facts.session = "sid";
  facts.remote = {*IpAddress::parse("192.0.2.7"), 1234};
  facts.local = {*IpAddress::parse("2001:db8::1"), 587};
  facts.ttl = 4;
  return facts;
}

TEST(SmtpXtext, GoesBothWays) {
  EXPECT_EQ(xtext_encode("a+b=c d\xff"), "a+2Bb+3Dc+20d+FF");
  EXPECT_EQ(xtext_decode("a+2bb+3Dc+20d+fF"), "a+b=c d\xff");
  for (std::string_view text : {"+", "+2", "+2G", "a=b", "a b", "\x80"}) EXPECT_FALSE(xtext_decode(text)) << text;
}

// SUB-34
TEST(SmtpXclientParser, TakesNamesOf23And24InAnyCase) {
  const ParsedXclient x = parse_xclient(
      "addr=IPV6:2001:db8::7 Port=777 SESSION=abc TTL=3 DESTADDR=192.0.2.1 DESTPORT=587 DESTNAME=Mail.example.org "
      "CLIENT-TRANSPORT=TLS HELO=[127.0.0.1] PROTO=esmtp LOGIN=a+2Bb TIMEOUT=30 NAME=x REVERSE_NAME=y");
  EXPECT_EQ(x.error, "");
  EXPECT_EQ(x.facts.remote_ip, IpAddress::parse("2001:db8::7"));
  EXPECT_EQ(x.facts.remote_port, 777);
  EXPECT_EQ(x.facts.local_ip, IpAddress::parse("192.0.2.1"));
  EXPECT_EQ(x.facts.local_port, 587);
  EXPECT_EQ(x.facts.session, "abc");
  EXPECT_EQ(x.facts.ttl, 3u);
  EXPECT_EQ(x.facts.local_name, "mail.example.org");
  EXPECT_EQ(x.own, (ProtocolFacts{{"CLIENT-TRANSPORT", "TLS"},
                                  {"HELO", "[127.0.0.1]"},
                                  {"PROTO", "ESMTP"},
                                  {"LOGIN", "a+b"},
                                  {"TIMEOUT", "30"}}));
}

TEST(SmtpXclientParser, RefusesALineWithOneBadAttribute) {
  for (const char* line :
       {"ADDR=foo", "ADDR", "ADDR=IPV6:192.0.2.1", "PORT=0", "PORT=65536", "TTL=x", "TTL=[UNAVAILABLE]", "PROTO=HTTP",
        "PROTO=[UNAVAILABLE]", "HELO=a+20b", "HELO", "DESTNAME=a/b", "FORWARD=!", "LOGIN=a+0Ab", "TIMEOUT=-1",
        "ADDR=1.2.3.4=", "=x", "A:B=x", "CLIENT-TRANSPORT="})
    EXPECT_NE(parse_xclient(string("ADDR=9.8.7.6 ") + line).error, "") << line;
  EXPECT_EQ(parse_xclient("addr=foo").error, "Invalid ADDR parameter");
}

TEST(SmtpXclientParser, LeavesOutWhatIsUnavailableOrUnknown) {
  const ParsedXclient x = parse_xclient("ADDR=[UNAVAILABLE] HELO=[unavailable] SESSION=a+20b FOO=bar FOO");
  EXPECT_EQ(x.error, "");
  EXPECT_FALSE(x.facts.remote_ip);
  EXPECT_FALSE(x.facts.session);
  EXPECT_TRUE(x.own.empty());
  EXPECT_EQ(parse_xclient("").error, "");
}

// GEN-22
TEST(SmtpXclientParser, ReadsForwardFields) {
  const ParsedXclient x = parse_xclient("FORWARD=" + xtext_encode(base64_encode("foo=b\x01tr\tnopassword")));
  EXPECT_EQ(x.error, "");
  EXPECT_EQ(x.facts.forward, (ProtocolFacts{{"foo", "b\tr"}, {"nopassword", ""}}));
}

// SUB-39
TEST(SmtpXclientCommands, TellOnlyWhatIsOfferedInOrder) {
  const ProtocolFacts own{{"PROTO", "ESMTP"}, {"HELO", "laptop"}, {"CLIENT-TRANSPORT", "TLS"}};
  const auto all = offered_attributes(
      "ADDR PORT PROTO HELO LOGIN SESSION CLIENT-TRANSPORT TTL TIMEOUT DESTNAME DESTADDR DESTPORT FORWARD");
  EXPECT_EQ(format_xclient(XclientForm::Submission, some_facts(), own, all).text,
            "XCLIENT HELO=laptop PROTO=ESMTP TTL=4 PORT=1234 ADDR=192.0.2.7 DESTPORT=587 DESTADDR=IPV6:2001:db8::1 "
            "SESSION=sid "
            "CLIENT-TRANSPORT=TLS\r\n");
  EXPECT_EQ(format_xclient(XclientForm::Submission, some_facts(), {}, offered_attributes("name helo addr")).text,
            "XCLIENT HELO=[UNAVAILABLE] ADDR=192.0.2.7\r\n");
  EXPECT_EQ(format_xclient(XclientForm::Submission, some_facts(), own, offered_attributes("NAME LOGIN")).count, 0u);
  EXPECT_EQ(format_xclient(XclientForm::Submission, {}, {}, offered_attributes("ADDR PORT DESTADDR DESTPORT")).count,
            0u);  // a socket in the file system
}

TEST(SmtpXclientCommands, HaveAtMost512Bytes) {
  ForwardFacts facts = some_facts();
  facts.forward = {{"foo", string(600, 'x')}};
  const XclientCommands commands = format_xclient(XclientForm::Submission, facts, {{"PROTO", "ESMTP"}, {"HELO", "a"}},
                                                  offered_attributes("HELO PROTO ADDR SESSION FORWARD"));
  EXPECT_EQ(commands.count, 2u);
  EXPECT_TRUE(commands.text.starts_with("XCLIENT HELO=a PROTO=ESMTP ADDR=192.0.2.7 SESSION=sid\r\nXCLIENT FORWARD="));
  const string second = commands.text.substr(commands.text.find("\r\n") + 2);
  EXPECT_EQ(parse_xclient(std::string_view(second).substr(8, second.size() - 10)).facts.forward, facts.forward);
  facts.session = string(480, 's');
  facts.forward.clear();
  const XclientCommands split =
      format_xclient(XclientForm::Submission, facts, {{"HELO", "a"}}, offered_attributes("HELO TTL PORT ADDR SESSION"));
  EXPECT_EQ(split.count, 2u);
  EXPECT_LE(split.text.find('\n') + 1, 512u);
}

// LMTP-27
TEST(SmtpXclientCommands, ToldToDeliveryBackends) {
  const ProtocolFacts own{
      {"PROTO", "LMTP"}, {"HELO", "laptop"}, {"CLIENT-TRANSPORT", "TLS"}, {"TIMEOUT", "30"}, {"LOGIN", "joe"}};
  const auto all = offered_attributes(
      "ADDR PORT PROTO HELO LOGIN SESSION CLIENT-TRANSPORT TTL TIMEOUT DESTNAME DESTADDR DESTPORT FORWARD");
  ForwardFacts facts = some_facts();
  facts.local_name = "mx.example.org";
  facts.forward = {{"foo", "x"}};  // goes with the recipient
  EXPECT_EQ(format_xclient(XclientForm::Lmtp, facts, own, all).text,
            "XCLIENT HELO=laptop PROTO=LMTP LOGIN=joe SESSION=sid CLIENT-TRANSPORT=TLS DESTNAME=mx.example.org TTL=4 "
            "TIMEOUT=30 PORT=1234 "
            "ADDR=192.0.2.7 DESTPORT=587 DESTADDR=2001:db8::1\r\n");
  EXPECT_TRUE(format_xclient(XclientForm::Smtp, facts, own, all).text.ends_with("DESTADDR=IPV6:2001:db8::1\r\n"));
  EXPECT_EQ(format_xclient(XclientForm::Lmtp, some_facts(), {}, offered_attributes("HELO ADDR")).text,
            "XCLIENT ADDR=192.0.2.7\r\n");
  EXPECT_EQ(format_xclient(XclientForm::Smtp, some_facts(), {}, offered_attributes("HELO")).count, 0u);
}

}  // namespace
}  // namespace postern::smtp
