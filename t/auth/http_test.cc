// nginx' auth_http: requests and answers (AUTH-22). The rest is t/system/auth_http_test.py.
#include <gtest/gtest.h>

#include "auth/auth_http.h"
#include "auth/db_http_plan.h"
#include "auth/fake_variables.h"
#include "base/percent.h"

namespace postern {
namespace {

std::string lines(const std::vector<SecretString>& headers) {
  std::string out;
  for (const SecretString& header : headers) out.append(header.reveal()).append("\n");
  return out;
}

FakeVariables client(std::string user, std::string service, std::string mechanism) {
  FakeVariables v(std::move(user));
  v.set(Variable::Service, std::move(service))
      .set(Variable::Mechanism, std::move(mechanism))
      .set(Variable::RemoteIp, "192.0.2.7")
      .set(Variable::LoginAttempt, "3");
  return v;
}

std::string lines(const Variables& variables, const AuthSubject& subject, Credential shown,
                  bool pass_client_cert = false) {
  return lines(auth_http_headers({variables, subject, shown}, pass_client_cert));
}

TEST(AuthHttpRequest, Login) {
  const SecretString password("a b%\t\x7f\xc3\xa4");
  FakeVariables v = client("joe x%", "submission", "LOGIN");
  v.set(Variable::Secured, "TLS");
  EXPECT_EQ(lines(v, {}, {&password}),
            "Auth-Method: plain\nAuth-User: joe%20x%25\nAuth-Pass: a%20b%25%09\x7f\xc3\xa4\nAuth-Protocol: "
            "smtp\nAuth-Login-Attempt: 3\n"
            "Client-IP: 192.0.2.7\nClient-Host: [UNAVAILABLE]\nAuth-SSL: on\n");
}

TEST(AuthHttpRequest, Recipient) {
  FakeVariables v = client("box@a.test", "lmtp", "");
  v.set(Variable::Sender, "me@b.test\r\nX: y")
      .set(Variable::Recipient, "box+tag@a.test")
      .set(Variable::Secured, "secured");
  EXPECT_EQ(lines(v, {}, {}),
            "Auth-Method: none\nAuth-User: box@a.test\nAuth-Pass: \nAuth-Protocol: lmtp\nAuth-Login-Attempt: "
            "3\nClient-IP: 192.0.2.7\n"
            "Auth-SMTP-From: MAIL FROM:<me@b.test%0D%0AX:%20y>\nAuth-SMTP-To: RCPT TO:<box+tag@a.test>\n");
}

// Recorded from nginx 1.22.
TEST(AuthHttpRequest, Digest) {
  const SecretString digest("8880e35cb254f65cfc380ab367501897");
  EXPECT_EQ(lines(client("alice", "pop3", "APOP"), {}, {&digest, "<1842461221.1795929752@mx.test>"}),
            "Auth-Method: apop\nAuth-User: alice\nAuth-Pass: 8880e35cb254f65cfc380ab367501897\nAuth-Salt: "
            "<1842461221.1795929752@mx.test>\n"
            "Auth-Protocol: pop3\nAuth-Login-Attempt: 3\nClient-IP: 192.0.2.7\n");
}

TEST(AuthHttpRequest, Certificate) {
  FakeVariables v = client("alice", "imap", "EXTERNAL");
  v.set(Variable::Secured, "TLS");
  AuthSubject subject;
  subject.tls = {"TLSv1.2", "ECDHE-RSA-AES256-GCM-SHA384",         "CN=alice,O=Me\\, Inc", "CN=CA one", "7C69",
                 "05a410",  "-----BEGIN CERTIFICATE-----\nMII+/\n"};
  const std::string wanted =
      "Auth-Method: external\nAuth-User: alice\nAuth-Pass: \nAuth-Protocol: imap\nAuth-Login-Attempt: 3\nClient-IP: "
      "192.0.2.7\n"
      "Auth-SSL: on\nAuth-SSL-Protocol: TLSv1.2\nAuth-SSL-Cipher: ECDHE-RSA-AES256-GCM-SHA384\nAuth-SSL-Verify: "
      "SUCCESS\n"
      "Auth-SSL-Subject: CN=alice,O=Me\\, Inc\nAuth-SSL-Issuer: CN=CA one\nAuth-SSL-Serial: "
      "7C69\nAuth-SSL-Fingerprint: 05a410\n";
  EXPECT_EQ(lines(v, subject, {}), wanted);
  EXPECT_EQ(lines(v, subject, {}, true), wanted + "Auth-SSL-Cert: -----BEGIN%20CERTIFICATE-----%0AMII+/%0A\n");
}

HttpAnswer answer(std::vector<std::pair<std::string, std::string>> headers, int status = 200) {
  HttpAnswer out;
  out.status = status;
  out.headers = std::move(headers);
  return out;
}

constexpr const char* kChecks[] = {"none", "right", "wrong", "disabled", "expired"};

std::string shown(const AuthHttpVerdict& verdict) {
  const DbRow& row = verdict.row;
  if (row.result == LookupResult::NotFound) return "unknown";
  if (row.result == LookupResult::Broken) return "broken: " + row.why;
  std::string out = kChecks[static_cast<size_t>(row.check)];
  for (const auto& [name, value] : row.fields) out += " " + name + "=" + value;
  return out;
}

std::string meaning(std::vector<std::pair<std::string, std::string>> headers, bool asked_password = true) {
  return shown(auth_http_verdict(answer(std::move(headers)), asked_password));
}

TEST(AuthHttpAnswer, Accepted) {
  EXPECT_EQ(meaning({{"auth-status", "OK"}, {"auth-server", "192.0.2.1"}, {"auth-port", "143"}}),
            "right proxy=y host=192.0.2.1 port=143");
  EXPECT_EQ(meaning({{"auth-status", "OK"}, {"auth-server", "192.0.2.1"}, {"auth-port", "143"}}, false),
            "none proxy=y host=192.0.2.1 port=143");
  EXPECT_EQ(meaning({{"auth-status", "OK"},
                     {"auth-server", "::1"},
                     {"auth-port", "143"},
                     {"auth-user", "joe"},
                     {"auth-pass", "p w"}}),
            "right user=joe pass=p w proxy=y host=::1 port=143");
  EXPECT_EQ(shown(auth_http_verdict(answer({{"auth-status", "OK"}}, 204), true)), "right");
  EXPECT_EQ(meaning({{"auth-status", "OK"}}), "right") << "the block's other fields say where to";
}

TEST(AuthHttpAnswer, Refused) {
  EXPECT_EQ(meaning({{"auth-status", "Invalid login or password"}, {"auth-wait", "3"}}),
            "wrong reason=Invalid login or password");
  EXPECT_EQ(meaning({{"auth-status", "no"}, {"auth-error-code", "535 5.7.8"}}), "wrong reason=no");
  EXPECT_EQ(meaning({{"auth-status", "no"}}, false), "unknown");
  EXPECT_LT(meaning({{"auth-status", std::string(5000, 'x')}}).size(), 300u);
  EXPECT_EQ(meaning({{"auth-status", "a\tb"}}).find('\t'), std::string::npos);
}

TEST(AuthHttpAnswer, Temporary) {
  EXPECT_EQ(meaning({{"auth-status", "later"}, {"auth-error-code", "451 4.3.0"}}), "broken: the service says: later");
  EXPECT_EQ(meaning({}), "broken: the answer has no Auth-Status, its HTTP status is 200");
  EXPECT_EQ(meaning({{"auth-status", ""}}), "broken: the answer has no Auth-Status, its HTTP status is 200");
  EXPECT_EQ(shown(auth_http_verdict(answer({}, 302), true)),
            "broken: the answer has no Auth-Status, its HTTP status is 302");
  HttpAnswer none;
  none.why = "Connection refused";
  EXPECT_EQ(shown(auth_http_verdict(none, true)), "broken: no answer: Connection refused");
  for (const auto& [server, port] : {std::pair("192.0.2.1", ""),
                                     {"", "143"},
                                     {"192.0.2.1", "0"},
                                     {"192.0.2.1", "65536"},
                                     {"192.0.2.1", "1x"},
                                     {"a/b", "143"},
                                     {"a b", "143"},
                                     {"unix:/x", "143"}})
    EXPECT_TRUE(meaning({{"auth-status", "OK"}, {"auth-server", server}, {"auth-port", port}}).starts_with("broken: "))
        << server << " " << port;
  EXPECT_TRUE(meaning({{"auth-status", "OK"}, {"auth-user", "a\tb"}}).starts_with("broken: "));
  EXPECT_TRUE(meaning({{"auth-status", "OK"}, {"auth-pass", std::string(1025, 'x')}}).starts_with("broken: "));
}

TEST(AuthHttpAnswer, Wait) {
  const auto asked = [](std::vector<std::pair<std::string, std::string>> headers) {
    return auth_http_verdict(answer(std::move(headers)), true).ask_again;
  };
  EXPECT_EQ(asked({{"auth-status", "WAIT"}, {"auth-wait", "3"}}), Milliseconds(3000));
  EXPECT_EQ(asked({{"auth-status", "WAIT"}, {"auth-wait", "0"}}), Milliseconds(1000)) << "never at once";
  EXPECT_EQ(asked({{"auth-status", "WAIT"}, {"auth-wait", "-1"}}), Milliseconds(1000));
  EXPECT_EQ(asked({{"auth-status", "OK"}}), std::nullopt);
  EXPECT_EQ(meaning({{"auth-status", "WAIT"}}), "broken: the service asks to wait for too long");
}

Result<HttpPlan> plan(const std::string& url, const std::string& header = "") {
  DatabaseSettings block;
  block.driver_settings = {{"http_url", url}, {"http_header", header}};
  return HttpPlan::from(block);
}

TEST(HttpPlan, UrlsAndHeaders) {
  const auto made = plan("http://a.test:80/%d/auth?u=%u&l=%Ln%%", "X-Key: k\nY:\n");
  ASSERT_TRUE(made) << made.error();
  EXPECT_EQ(made->url_for(FakeVariables("J/../&?#@\xc3\xa4")),
            "http://a.test:80/%C3%A4/auth?u=J%2F..%2F%26%3F%23%40%C3%A4&l=j%2F..%2F%26%3F%23%");
  EXPECT_EQ(made->headers, (std::vector<std::string>{"X-Key: k", "Y:"}));
  for (const char* bad : {"", "ftp://a/", "http:///x", "http://%d/", "http://u:p@a/", "http://a:%d/", "https://a/b c",
                          "http://a/%w", "http://a/%q"})
    EXPECT_FALSE(plan(bad)) << bad;
  for (const char* bad : {"x", ": x", "a b: c", "a: b\x01"}) EXPECT_FALSE(plan("http://a/", bad)) << bad;
}

TEST(Percent, ThereAndBack) {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  EXPECT_EQ(percent_decode(url_escape(all)), all);
  EXPECT_EQ(percent_decode(header_escape(all)), all);
  for (const char* bad : {"%", "%a", "%ag", "a%%41"}) EXPECT_EQ(percent_decode(bad), std::nullopt) << bad;
}

}  // namespace
}  // namespace postern
