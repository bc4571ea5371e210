#include "proxy/route.h"

#include <gtest/gtest.h>

#include "proto/imap/protocol.h"
#include "proto/pop3/protocol.h"
#include "proto/smtp/submission.h"

namespace postern {
namespace {

AuthReply reply_with(FieldList fields) {
  AuthReply r;
  r.result = AuthResult::Ok;
  r.user = "joe@example.org";
  r.extra = std::move(fields);
  r.password.emplace("secret");
  return r;
}

template <class T>
T route_of(AuthReply reply, const Protocol& protocol = imap::kImap) {
  auto route = route_from(std::move(reply), protocol, "PLAIN");
  EXPECT_TRUE(route) << (route ? "" : route.error());
  if (!route || !std::holds_alternative<T>(*route)) {
    ADD_FAILURE() << "another kind of route";
    return {};
  }
  return std::move(std::get<T>(*route));
}

std::string error_of(FieldList fields) {
  auto route = route_from(reply_with(std::move(fields)), imap::kImap, "PLAIN");
  return route ? "no error" : route.error();
}

TEST(Route, ProxiesToAnAddressWithDefaults) {
  const auto r = route_of<ProxyRoute>(reply_with({{"proxy", "y"}, {"host", "127.0.0.2"}}));
  EXPECT_EQ(r.addresses.at(0).text(), "127.0.0.2");
  EXPECT_EQ(r.port, 143);
  EXPECT_EQ(r.destuser, "joe@example.org");
  EXPECT_EQ(r.password.reveal(), "secret");
  EXPECT_EQ(r.tls, TlsUse::None);
  EXPECT_TRUE(r.pipelining);
  EXPECT_TRUE(r.trusted);
}

// PXI-70
TEST(Route, TakesTheTlsPortWithSslAndThePlainOneWithStarttls) {
  EXPECT_EQ(route_of<ProxyRoute>(reply_with({{"proxy", ""}, {"host", "::1"}, {"ssl", "yes"}})).port, 993);
  const auto r = route_of<ProxyRoute>(reply_with({{"proxy", ""}, {"host", "::1"}, {"starttls", "any-cert"}}), kPop3);
  EXPECT_EQ(r.port, 110);
  EXPECT_EQ(r.tls, TlsUse::StartTls);
  EXPECT_FALSE(r.verify_certificate);
}

TEST(Route, SwitchesVerificationOffWithAnyCertOnEitherField) {
  EXPECT_FALSE(
      route_of<ProxyRoute>(reply_with({{"proxy", ""}, {"host", "::1"}, {"ssl", "any-cert"}, {"starttls", "yes"}}))
          .verify_certificate);
  EXPECT_TRUE(route_of<ProxyRoute>(reply_with({{"proxy", ""}, {"host", "::1"}, {"ssl", "no"}})).verify_certificate);
}

TEST(Route, PrefersHostipAndKeepsTheNameForTls) {
  const auto r =
      route_of<ProxyRoute>(reply_with({{"proxy", ""}, {"host", "mail.example.org"}, {"hostip", "192.0.2.7"}}));
  EXPECT_EQ(r.host, "mail.example.org");
  EXPECT_EQ(r.addresses.at(0).text(), "192.0.2.7");
}

TEST(Route, KeepsForwardFieldsInOrder) {
  const auto r =
      route_of<ProxyRoute>(reply_with({{"proxy", ""}, {"host", "::1"}, {"forward_b", "2"}, {"forward_a", "1"}}));
  EXPECT_EQ(r.forward, (FieldList{{"b", "2"}, {"a", "1"}}));
}

struct TimeCase {
  const char* value;
  int64_t milliseconds;
};
TEST(Route, ReadsProxyTimeoutInSecondsOrWithUnit) {
  for (const TimeCase& c :
       {TimeCase{"2", 2000}, {"1500ms", 1500}, {"30s", 30000}, {"2 mins", 120000}, {"1 msecs", 1}, {"1m", 60000}})
    EXPECT_EQ(
        route_of<ProxyRoute>(reply_with({{"proxy", ""}, {"host", "::1"}, {"proxy_timeout", c.value}})).timeout.count(),
        c.milliseconds)
        << c.value;
}

// PXI-5: field and value are named.
TEST(Route, NamesTheFieldThatIsWrong) {
  EXPECT_EQ(error_of({{"proxy", ""}, {"host", "::1"}, {"port", "99999"}}),
            "Auth service returned invalid port value '99999': not a port (1-65535)");
  EXPECT_EQ(error_of({{"proxy", ""}, {"host", "::1"}, {"port", "0"}}),
            "Auth service returned invalid port value '0': not a port (1-65535)");
  EXPECT_EQ(error_of({{"proxy", ""}, {"host", "::1"}, {"hostip", "x"}}),
            "Auth service returned invalid hostip value 'x': not an IP address");
  EXPECT_EQ(error_of({{"proxy", ""}, {"host", "::1"}, {"source_ip", "1.2.3"}}),
            "Auth service returned invalid source_ip value '1.2.3': not an IP address");
  EXPECT_EQ(error_of({{"proxy", ""}, {"host", "::1"}, {"proxy_timeout", "5 apples"}}),
            "Auth service returned invalid proxy_timeout value '5 apples': unknown unit");
  EXPECT_EQ(error_of({{"proxy", ""}, {"host", "::1"}, {"proxy_refresh", "5m"}}),
            "Auth service returned invalid proxy_refresh value '5m': not a number of seconds");
  EXPECT_EQ(error_of({{"proxy", ""}}), "host not given");
  EXPECT_EQ(error_of({{"proxy", ""}, {"host", ""}}), "Auth service returned invalid host value '': empty");
  EXPECT_EQ(error_of({{"proxy", ""}, {"host", "::1"}, {"hostip", "::2"}}),
            "host and hostip are different addresses: ::1 and ::2");
  EXPECT_EQ(error_of({{"proxy", ""}, {"host", "::1"}, {"source_ip", "127.0.0.1"}}),
            "source_ip 127.0.0.1 and destination ::1 are of different families");
}

// SUB-46
TEST(Route, SkipsTheLoginWhereTheProtocolCan) {
  const FieldList fields{{"proxy", ""}, {"host", "::1"}, {"proxy_noauth", ""}};
  AuthReply reply = reply_with(fields);
  reply.password.reset();
  const auto r = route_of<ProxyRoute>(std::move(reply), kSubmission);
  EXPECT_FALSE(r.authenticate);
  EXPECT_EQ(r.port, 587);
  EXPECT_TRUE(route_of<ProxyRoute>(reply_with(fields)).authenticate);
  AuthReply imap_reply = reply_with(fields);
  imap_reply.password.reset();
  EXPECT_FALSE(route_from(std::move(imap_reply), imap::kImap, "PLAIN"));
}

// GEN-11
TEST(Route, TakesTheSubmissionPortWithImplicitTls) {
  EXPECT_EQ(route_of<ProxyRoute>(reply_with({{"proxy", ""}, {"host", "::1"}, {"ssl", "yes"}}), kSubmission).port, 465);
}

TEST(Route, NeedsAPassword) {
  AuthReply r = reply_with({{"proxy", ""}, {"host", "::1"}});
  r.password.reset();
  auto route = route_from(std::move(r), imap::kImap, "CRAM-MD5");
  ASSERT_FALSE(route);
  EXPECT_EQ(route.error(), "password not given");
}

// A2, A3, REF-2
TEST(Route, RefersWithNologinAndHost) {
  const auto r =
      route_of<RefusedRoute>(reply_with({{"nologin", "n"}, {"host", "mail2.example.org"}, {"reason", "moved"}}));
  ASSERT_TRUE(r.referral);
  EXPECT_EQ(r.referral->host, "mail2.example.org");
  EXPECT_EQ(r.referral->port, 143);
  EXPECT_EQ(r.referral->user, "joe@example.org");
  EXPECT_EQ(r.reason, "moved");
}

TEST(Route, RefersToTheTlsPortWithSsl) {
  const auto r =
      route_of<RefusedRoute>(reply_with({{"nologin", ""}, {"host", "h"}, {"ssl", "yes"}, {"destuser", "other"}}));
  EXPECT_EQ(r.referral->port, 993);
  EXPECT_EQ(r.referral->user, "other");
}

TEST(Route, RefusesWithNologinAlone) { EXPECT_FALSE(route_of<RefusedRoute>(reply_with({{"nologin", ""}})).referral); }

// PXI-1, REF-5
TEST(Route, ProxiesInSpiteOfNologin) {
  route_of<ProxyRoute>(reply_with({{"nologin", ""}, {"proxy", ""}, {"host", "::1"}}));
}

// A1, A6: only protocols with a success referral tell the host
TEST(Route, LogsInHereWithAReferralWhereTheProtocolHasOne) {
  EXPECT_TRUE(route_of<LocalRoute>(reply_with({{"host", "h"}})).referral);
  EXPECT_FALSE(route_of<LocalRoute>(reply_with({{"host", "h"}}), kPop3).referral);
  EXPECT_FALSE(route_of<LocalRoute>(reply_with({})).referral);
}

// PXI-3
TEST(Route, SeesALoopToItself) {
  const auto r = route_of<ProxyRoute>(reply_with({{"proxy", ""}, {"host", "127.0.0.1"}}));
  const Endpoint here{*IpAddress::parse("127.0.0.1"), 143}, other{*IpAddress::parse("127.0.0.1"), 144};
  EXPECT_TRUE(loops_to_itself(r, here, "joe@example.org"));
  EXPECT_FALSE(loops_to_itself(r, other, "joe@example.org"));
  EXPECT_FALSE(loops_to_itself(r, here, "someone"));
}

TEST(Route, ReadsTheVersionOfAProxyHeader) {
  EXPECT_FALSE(route_of<ProxyRoute>(reply_with({{"proxy", ""}, {"host", "::1"}})).haproxy);
  EXPECT_EQ(route_of<ProxyRoute>(reply_with({{"proxy", ""}, {"host", "::1"}, {"proxy_haproxy", "v1"}})).haproxy,
            ProxyHeaderVersion::V1);
  EXPECT_EQ(route_of<ProxyRoute>(reply_with({{"proxy", ""}, {"host", "::1"}, {"proxy_haproxy", "V2"}})).haproxy,
            ProxyHeaderVersion::V2);
  EXPECT_NE(
      error_of({{"proxy", ""}, {"host", "::1"}, {"proxy_haproxy", "yes"}}).find("invalid proxy_haproxy value 'yes'"),
      std::string::npos);
}

}  // namespace
}  // namespace postern
