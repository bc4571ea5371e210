// Where a recipient's mail goes (LMTP-19 to LMTP-22).
#include <gtest/gtest.h>

#include "proto/smtp/lmtp.h"
#include "proxy/route.h"

namespace postern {
namespace {

AuthReply reply_with(FieldList fields) {
  AuthReply r;
  r.result = AuthResult::Ok;
  r.user = "joe@example.org";
  r.extra = std::move(fields);
  return r;
}

template <class T>
T route_of(FieldList fields, uint16_t own_port = 0) {
  auto route = recipient_route_from(reply_with(std::move(fields)), kLmtp, own_port);
  EXPECT_TRUE(route) << (route ? "" : route.error());
  if (!route || !std::holds_alternative<T>(*route)) {
    ADD_FAILURE() << "another kind of route";
    return {};
  }
  return std::move(std::get<T>(*route));
}

std::string error_of(FieldList fields) {
  auto route = recipient_route_from(reply_with(std::move(fields)), kLmtp, 0);
  return route ? "no error" : route.error();
}

using F = FieldList;

TEST(RecipientRoute, NeedsNoPassword) {  // LMTP-19
  const auto r = route_of<DeliveryRoute>(
      {{"proxy", "y"}, {"host", "192.0.2.1"}, {"pass", "secret"}, {"master", "m"}, {"proxy_mech", "PLAIN"}});
  EXPECT_FALSE(r.proxy.authenticate);
  EXPECT_EQ(r.proxy.destuser, "joe@example.org");
  EXPECT_EQ(r.proxy.addresses.at(0).text(), "192.0.2.1");
  EXPECT_EQ(r.proxy.tls, TlsUse::None);
  EXPECT_EQ(r.proxy.timeout.count(), 0);
}

TEST(RecipientRoute, ProtocolAndPort) {  // LMTP-20
  struct {
    F fields;
    uint16_t own_port;
    const char* backend;
    uint16_t port;
  } const rows[] = {
      {{}, 0, "lmtp", 24},
      {{}, 2424, "lmtp", 2424},
      {{{"port", "2525"}}, 2424, "lmtp", 2525},
      {{{"protocol", "lmtp"}}, 2424, "lmtp", 24},
      {{{"protocol", "LMTP"}}, 0, "lmtp", 24},
      {{{"protocol", "smtp"}}, 2424, "smtp", 25},
      {{{"protocol", "smtp"}, {"port", "26"}}, 2424, "smtp", 26},
      {{{"port", "26"}, {"protocol", "smtp"}}, 2424, "smtp", 26},
      {{{"protocol", "smtp"}, {"ssl", "yes"}}, 2424, "smtp", 465},
      {{{"protocol", "lmtp"}, {"ssl", "yes"}}, 2424, "lmtp", 24},
      {{{"ssl", "yes"}}, 2424, "lmtp", 2424},
  };
  for (const auto& row : rows) {
    F fields = row.fields;
    fields.insert(fields.begin(), {{"proxy", "y"}, {"host", "192.0.2.1"}});
    const auto r = route_of<DeliveryRoute>(fields, row.own_port);
    ASSERT_NE(r.backend, nullptr);
    EXPECT_EQ(r.backend->name, row.backend);
    EXPECT_EQ(r.proxy.port, row.port);
  }
}

TEST(RecipientRoute, Tls) {  // LMTP-21
  EXPECT_EQ(route_of<DeliveryRoute>({{"proxy", ""}, {"host", "::1"}, {"starttls", "yes"}}).proxy.tls, TlsUse::StartTls);
  EXPECT_EQ(route_of<DeliveryRoute>({{"proxy", ""}, {"host", "::1"}, {"ssl", "yes"}}).proxy.tls, TlsUse::Implicit);
  EXPECT_FALSE(route_of<DeliveryRoute>({{"proxy", ""}, {"host", "::1"}, {"ssl", "any-cert"}}).proxy.verify_certificate);
}

TEST(RecipientRoute, FurtherFields) {
  const auto r = route_of<DeliveryRoute>({{"proxy", ""},
                                          {"host", "192.0.2.1"},
                                          {"destuser", "jim"},
                                          {"proxy_timeout", "7"},
                                          {"proxy_not_trusted", "y"},
                                          {"source_ip", "192.0.2.2"},
                                          {"forward_foo", "bar"},
                                          {"proxy_haproxy", "v2"}});
  EXPECT_EQ(r.proxy.destuser, "jim");
  EXPECT_EQ(r.proxy.timeout, Milliseconds(7000));
  EXPECT_FALSE(r.proxy.trusted);
  EXPECT_EQ(r.proxy.source, IpAddress::parse("192.0.2.2"));
  EXPECT_EQ(r.proxy.forward, (ForwardFields{{"foo", "bar"}}));
  EXPECT_EQ(r.proxy.haproxy, ProxyHeaderVersion::V2);
}

TEST(RecipientRoute, Mistakes) {  // LMTP-23
  EXPECT_EQ(error_of({{"proxy", ""}}), "host not given");
  EXPECT_EQ(error_of({{"proxy", ""}, {"host", "::1"}, {"protocol", "imap"}}),
            "Auth service returned invalid protocol value 'imap': unknown");
  EXPECT_EQ(error_of({{"protocol", "http"}}), "Auth service returned invalid protocol value 'http': unknown")
      << "whatever becomes of him";
  EXPECT_NE(error_of({{"proxy", ""}, {"host", "::1"}, {"port", "0"}}), "no error");
  EXPECT_NE(error_of({{"proxy", ""}, {"host", "::1"}, {"source_ip", "192.0.2.1"}}), "no error");
}

TEST(RecipientRoute, Nologin) {  // LMTP-22
  const auto here = route_of<RefusedRoute>({{"nologin", ""}, {"reason", "moved"}});
  EXPECT_FALSE(here.referral);
  EXPECT_EQ(here.reason, "moved");
  const auto there = route_of<RefusedRoute>({{"nologin", ""}, {"host", "other.example.org"}});
  ASSERT_TRUE(there.referral);
  EXPECT_EQ(there.referral->host, "other.example.org");
  EXPECT_EQ(there.referral->port, 24);
  EXPECT_EQ(there.referral->user, "joe@example.org");
  route_of<DeliveryRoute>({{"nologin", ""}, {"proxy", ""}, {"host", "::1"}});
}

TEST(RecipientRoute, WithoutProxyHeIsHere) {
  route_of<LocalRoute>({});
  route_of<LocalRoute>({{"host", "other"}});
}

}  // namespace
}  // namespace postern
