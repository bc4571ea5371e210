// passdb oauth2 without the network: settings, claims, questions and answers (AUTH-24, AUTH-25).
#include <gtest/gtest.h>

#include "auth/fake_variables.h"
#include "auth/oauth2_claims.h"
#include "auth/oauth2_http.h"
#include "auth/oauth2_plan.h"

namespace postern {
namespace {

using Kind = TokenVerdict::Kind;
using Settings = std::map<std::string, std::string>;

constexpr uint64_t kNow = 1'800'000'000;

DatabaseSettings block(const Settings& keys) {
  DatabaseSettings out;
  out.driver = "oauth2";
  for (const auto& [name, value] : keys) out.driver_settings["oauth2_" + name] = value;
  return out;
}

Settings with(Settings keys) {
  keys.emplace("introspection_url", "https://id.example.org/me");
  return keys;
}

Oauth2Plan plan(const Settings& keys = {}) {
  auto made = Oauth2Plan::from(block(with(keys)));
  EXPECT_TRUE(made) << made.error();
  return std::move(*made);
}

std::string error_of(const Settings& keys) {
  const auto made = Oauth2Plan::from(block(keys));
  return made ? "none" : made.error();
}

// --- settings ---------------------------------------------------------------------

TEST(Oauth2Plan, Defaults) {
  const Oauth2Plan p = plan();
  EXPECT_EQ(p.mode, IntrospectionMode::Auth);
  EXPECT_EQ(p.username_attribute, "email");
  EXPECT_EQ(p.username_format.expand(FakeVariables("Joe@Example.ORG")), "joe@example.org");
  EXPECT_EQ(p.timeout, Milliseconds(10'000)) << "never for ever";
  EXPECT_EQ(plan({{"timeout_msecs", "0"}}).timeout, Milliseconds(10'000));
  EXPECT_EQ(plan({{"timeout_msecs", "250"}}).timeout, Milliseconds(250));
  EXPECT_TRUE(p.verify);
  EXPECT_TRUE(describe_oauth2(block(with({})), DbKind::Passdb)->verifies);
}

TEST(Oauth2Plan, Mistakes) {
  const Settings url = with({});
  const std::pair<Settings, const char*> mistakes[] = {
      {{}, "needs oauth2_tokeninfo_url, oauth2_introspection_url or oauth2_introspection_mode = local"},
      {{{"tokeninfo_url", "id.example.org"}}, "oauth2_tokeninfo_url = id.example.org: is not an http or https URL"},
      {with({{"introspection_mode", "put"}}), "oauth2_introspection_mode = put: accepted: auth, get, post, local"},
      {with({{"force_introspection", "maybe"}}), "oauth2_force_introspection = maybe: accepted: yes, no"},
      {with({{"timeout_msecs", "10 secs"}}),
       "oauth2_timeout_msecs = 10 secs: is not a number of milliseconds up to 3600000"},
      {with({{"username_format", "%{nonsense}"}}),
       "oauth2_username_format = %{nonsense}: at position 1: unknown variable '%{nonsense}'"},
      {with({{"username_format", "%u"}, {"username_validation_format", "%u"}}),
       "oauth2_username_validation_format stands beside oauth2_username_format; accepted: one of them"},
      {with({{"pass_attrs", "=x"}}), "oauth2_pass_attrs = =x: =x: is not NAME=VALUE"},
      {with({{"tls_ca_cert_file", "ca.pem"}}), "oauth2_tls_ca_cert_file = ca.pem: is not an absolute path"},
      {with({{"tls_cert_file", "/c.pem"}}), "oauth2_tls_cert_file and oauth2_tls_key_file need each other"},
      {with({{"local_validation_key_dict", "redis:host=x"}}),
       "oauth2_local_validation_key_dict = redis:host=x: accepted: fs:posix:prefix=/FOLDER/"},
      {with({{"jwks_file", "/keys"}}), "keys are used with oauth2_introspection_mode = local only"},
      {{{"introspection_mode", "local"}},
       "oauth2_introspection_mode = local: needs oauth2_local_validation_key_dict, oauth2_key_dir or oauth2_jwks_file"},
      {{{"introspection_mode", "local"}, {"jwks_file", "/a"}, {"key_dir", "/b"}},
       "accepted: one of oauth2_local_validation_key_dict, oauth2_key_dir, oauth2_jwks_file"},
      {with({{"use_grant_password", "yes"}}),
       "oauth2_use_grant_password = yes: needs oauth2_grant_url and oauth2_client_id"},
      {{{"tokeninfo_url", "http://x/"}, {"force_introspection", "yes"}},
       "oauth2_force_introspection = yes: needs oauth2_introspection_url"},
      {with({{"rawlog_dir", "/tmp"}}), "oauth2_rawlog_dir = /tmp: tokens are never written to files"},
      {with({{"send_auth_headers", "yes"}}), "oauth2_send_auth_headers = yes: is not supported; accepted: no"},
      {with({{"max_parallel_connections", "0"}}),
       "oauth2_max_parallel_connections = 0: is not a number from 1 to 10000"}};
  for (const auto& [keys, why] : mistakes) EXPECT_EQ(error_of(keys), why);
}

TEST(Oauth2Plan, WhatIsAcceptedAndNotUsed) {
  EXPECT_EQ(error_of(with({{"debug", "yes"},
                           {"blocking", "no"},
                           {"max_pipelined_requests", "5"},
                           {"tls_cipher_suite", "HIGH"},
                           {"rawlog_dir", ""}})),
            "none");
}

TEST(Oauth2Plan, KeyFolders) {
  const Settings local{{"introspection_mode", "local"}};
  const auto prefix = [&](Settings keys) {
    return Oauth2Plan::from(block((keys.insert(local.begin(), local.end()), keys)))->key_prefix;
  };
  EXPECT_EQ(prefix({{"local_validation_key_dict", "fs:posix:prefix=/etc/keys/"}}), "/etc/keys/");
  EXPECT_EQ(prefix({{"local_validation_key_dict", "fs:posix:prefix=/etc/keys/x-"}}), "/etc/keys/x-");
  EXPECT_EQ(prefix({{"key_dir", "/etc/keys"}}), "/etc/keys/");
}

TEST(Oauth2Plan, FieldsOfTheToken) {
  const Oauth2Plan p = plan({{"pass_attrs",
                              "proxy=y proxy_mech=%m pass=%{oauth2:access_token}  host=%{oauth2:host:192.0.2.1} "
                              "email=%$ name=%{oauth2:email | lower | upper} n=100%% nologin"}});
  FakeVariables request;
  request.set(Variable::Mechanism, "XOAUTH2");
  auto claims = *TokenClaims::parse(R"({"email":"Joe@x"})");
  claims.set("access_token", "secret");
  const FieldList wanted = {
      {"proxy", "y"},     {"proxy_mech", "XOAUTH2"}, {"pass", "secret"}, {"host", "192.0.2.1"},
      {"email", "Joe@x"}, {"name", "JOE@X"},         {"n", "100%"},      {"nologin", ""},
  };
  EXPECT_EQ(token_fields(p, claims, KeptVariables(request, p.uses)), wanted);
}

// --- claims -------------------------------------------------------------------------

TEST(TokenClaims, Json) {
  const auto claims = TokenClaims::parse(
      R"({"a":"x y","b":7,"c":true,"d":["p",1,false,{"q":1}],"e":{"f":1},"g":null,"h":"a\nb","i":1.5})");
  ASSERT_TRUE(claims);
  EXPECT_EQ(claims->text("a"), "x y");
  EXPECT_EQ(claims->text("b"), "7");
  EXPECT_EQ(claims->text("c"), "true");
  EXPECT_EQ(claims->text("d"), "p 1 false");
  for (const char* name : {"e", "g", "h", "nothing"}) EXPECT_FALSE(claims->text(name)) << name;
  EXPECT_EQ(claims->find("e")->kind, TokenClaims::Kind::Other);
  EXPECT_EQ(claims->find("h")->kind, TokenClaims::Kind::Other);
  EXPECT_EQ(claims->find("g"), nullptr) << "null is like nothing";
  EXPECT_EQ(claims->words("e").size(), 0U);
  EXPECT_EQ(claims->words("a"), (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(claims->words("d").size(), 3U);
  for (const char* wrong : {"", "[]", "7", "{", "{} x", "{\"a\":\"\xff\"}", "null"})
    EXPECT_FALSE(TokenClaims::parse(wrong)) << wrong;
  EXPECT_FALSE(TokenClaims::parse(std::string(100'000, '[')));
}

TEST(TokenClaims, Times) {
  using State = TokenClaims::Time::State;
  const auto claims = *TokenClaims::parse(
      R"({"a":1700000000,"b":"1700000000","c":1700000000.9,"d":-1,"e":"soon","f":[1],"g":1e300,"h":true,"i":99999999999999999999,"j":{},"k":null})");
  for (const char* name : {"a", "b", "c"}) EXPECT_EQ(claims.time(name).seconds, 1700000000) << name;
  for (const char* name : {"d", "e", "f", "g", "h", "i", "j"})
    EXPECT_EQ(claims.time(name).state, State::Malformed) << name;
  EXPECT_EQ(claims.time("x").state, State::Absent);
  EXPECT_EQ(claims.time("k").state, State::Absent);
}

struct Case {
  const char* json;
  Kind server, jwt;
};

void check(const Settings& keys, const std::vector<Case>& cases) {
  const Oauth2Plan p = plan(keys);
  for (const Case& c : cases) {
    const auto claims = TokenClaims::parse(c.json);
    ASSERT_TRUE(claims) << c.json;
    EXPECT_EQ(check_token(*claims, p, ClaimsFrom::Server, kNow).kind, c.server) << c.json;
    EXPECT_EQ(check_token(*claims, p, ClaimsFrom::Jwt, kNow).kind, c.jwt) << c.json;
  }
}

TEST(Claims, Times) {
  check({}, {{R"({"sub":"1","exp":1800000600})", Kind::Right, Kind::Right},
             {R"({"sub":"1"})", Kind::Right, Kind::Invalid},
             {R"({"exp":1800000600})", Kind::Right, Kind::Invalid},
             {R"({"sub":"1","exp":1799999940})", Kind::Right, Kind::Right},
             {R"({"sub":"1","exp":1799999939})", Kind::Invalid, Kind::Invalid},
             {R"({"sub":"1","exp":"never"})", Kind::Invalid, Kind::Invalid},
             {R"({"sub":"1","exp":1800000600,"nbf":1800000001,"iat":1800000001})", Kind::Right, Kind::Right},
             {R"({"sub":"1","exp":1800000600,"nbf":1800000002})", Kind::Invalid, Kind::Invalid},
             {R"({"sub":"1","exp":1800000600,"iat":1800000002})", Kind::Invalid, Kind::Invalid},
             {R"({"sub":"1","exp":1799999990,"iat":1799999999})", Kind::Invalid, Kind::Invalid}});
}

TEST(Claims, IssuerAndAudience) {
  check({{"issuers", "https://a https://b"}},
        {{R"({"sub":"1","exp":1800000600,"iss":"https://b"})", Kind::Right, Kind::Right},
         {R"({"sub":"1","exp":1800000600,"iss":"https://c"})", Kind::Invalid, Kind::Invalid},
         {R"({"sub":"1","exp":1800000600,"iss":["https://b"]})", Kind::Invalid, Kind::Invalid},
         {R"({"sub":"1","exp":1800000600})", Kind::Right, Kind::Invalid}});
  check({{"client_id", "mail"}},
        {{R"({"sub":"1","exp":1800000600,"aud":"mail"})", Kind::Right, Kind::Right},
         {R"({"sub":"1","exp":1800000600,"aud":["x","mail"]})", Kind::Right, Kind::Right},
         {R"({"sub":"1","exp":1800000600,"aud":"x mail"})", Kind::Invalid, Kind::Invalid},
         {R"({"sub":"1","exp":1800000600,"aud":"x","client_id":"mail"})", Kind::Right, Kind::Invalid},
         {R"({"sub":"1","exp":1800000600,"client_id":"x"})", Kind::Invalid, Kind::Invalid},
         {R"({"sub":"1","exp":1800000600})", Kind::Right, Kind::Invalid}});
}

TEST(Claims, Scopes) {
  check({{"scope", "mail, openid"}},
        {{R"({"sub":"1","exp":1800000600,"scope":"a openid mail"})", Kind::Right, Kind::Right},
         {R"({"sub":"1","exp":1800000600,"scope":["openid","mail"]})", Kind::Right, Kind::Right},
         {R"({"sub":"1","exp":1800000600,"scope":"mail"})", Kind::WrongScope, Kind::WrongScope},
         {R"({"sub":"1","exp":1800000600,"scope":"openid mailbox"})", Kind::WrongScope, Kind::WrongScope},
         {R"({"sub":"1","exp":1800000600,"aud":"openid mail"})", Kind::Right, Kind::WrongScope},
         {R"({"sub":"1","exp":1800000600})", Kind::WrongScope, Kind::WrongScope}});
}

TEST(Claims, ActiveAndErrors) {
  check({}, {{R"({"active":false,"sub":"1","exp":1800000600})", Kind::Invalid, Kind::Right},
             {R"({"error":"x","sub":"1","exp":1800000600})", Kind::Invalid, Kind::Right}});
  check({{"active_attribute", "state"}, {"active_value", "yes"}},
        {{R"({"state":"yes","sub":"1","exp":1800000600})", Kind::Right, Kind::Right},
         {R"({"state":"no","sub":"1","exp":1800000600})", Kind::Disabled, Kind::Disabled},
         {R"({"sub":"1","exp":1800000600})", Kind::Disabled, Kind::Disabled}});
  check({{"active_attribute", "state"}}, {{R"({"state":0,"sub":"1","exp":1800000600})", Kind::Right, Kind::Right},
                                          {R"({"sub":"1","exp":1800000600})", Kind::Disabled, Kind::Disabled}});
}

TEST(Claims, TheUserIsTheOneWhoLogsIn) {
  const Oauth2Plan p = plan();
  const auto ask = [&](const char* json, const std::string& user) {
    return check_claims(*TokenClaims::parse(json), p, user, ClaimsFrom::Server, kNow).kind;
  };
  EXPECT_EQ(ask(R"({"email":"Joe@Example.org"})", "joe@example.org"), Kind::Right)
      << "username_format is applied to both";
  EXPECT_EQ(ask(R"({"email":"jim@example.org"})", "joe@example.org"), Kind::Invalid);
  EXPECT_EQ(ask(R"({"email":"joe@example.org"})", ""), Kind::Invalid);
  EXPECT_EQ(ask(R"({"mail":"joe@example.org"})", "joe@example.org"), Kind::Broken)
      << "what is configured is not there: nobody's password is wrong";
  EXPECT_EQ(ask(R"({"email":""})", "joe@example.org"), Kind::Broken);
  const Oauth2Plan local = plan({{"username_format", "%n"}, {"username_attribute", "uid"}});
  EXPECT_EQ(check_claims(*TokenClaims::parse(R"({"uid":"joe"})"), local, "joe", ClaimsFrom::Server, kNow).kind,
            Kind::Right);
}

TEST(Claims, WhatAClientIsTold) {  // RFC 7628 section 3.2.2
  const Oauth2Plan p = plan({{"scope", "mail openid"}, {"openid_configuration_url", "https://id.example.org/x"}});
  EXPECT_EQ(token_refusal(p, Kind::Invalid, "OAUTHBEARER"),
            R"({"status":"invalid_token","scope":"mail openid","openid-configuration":"https://id.example.org/x"})");
  EXPECT_EQ(token_refusal(plan(), Kind::WrongScope, "OAUTHBEARER"), R"({"status":"insufficient_scope"})");
  EXPECT_EQ(token_refusal(plan(), Kind::Invalid, "XOAUTH2"), R"({"status":"401","schemes":"bearer"})");
  EXPECT_EQ(token_refusal(plan(), Kind::WrongScope, "XOAUTH2"), R"({"status":"403","schemes":"bearer"})");
  EXPECT_EQ(token_refusal(plan(), Kind::Right, "XOAUTH2"), "");
  EXPECT_EQ(token_refusal(plan(), Kind::Broken, "XOAUTH2"), "");
}

// --- questions -----------------------------------------------------------------------

std::string shown(const HttpRequest& request) {
  std::string out = request.method + " " + request.url;
  for (const SecretString& header : request.headers)
    if (header.reveal() != "Accept: application/json") out.append("|").append(header.reveal());
  return out.append("|").append(request.body.reveal());
}

TEST(Oauth2Http, Questions) {
  const SecretString token("a+b/c=");
  EXPECT_EQ(shown(tokeninfo_request(plan({{"tokeninfo_url", "http://x/t?access_token="}}), token)),
            "GET http://x/t?access_token=a%2Bb%2Fc%3D|");
  EXPECT_EQ(shown(introspection_request(plan(), token)), "GET https://id.example.org/me|Authorization: Bearer a+b/c=|");
  EXPECT_EQ(
      shown(introspection_request(plan({{"introspection_mode", "get"}, {"introspection_url", "http://x/?t="}}), token)),
      "GET http://x/?t=a%2Bb%2Fc%3D|");
  const Settings post{{"introspection_mode", "post"}, {"client_id", "me"}, {"client_secret", "s:t"}};
  constexpr std::string_view kForm = "|Content-Type: application/x-www-form-urlencoded";
  const std::string body = "|token=a%2Bb%2Fc%3D&token_type_hint=access_token";
  EXPECT_EQ(shown(introspection_request(plan(post), token)),
            "POST https://id.example.org/me" + std::string(kForm) + "|Authorization: Basic bWU6cyUzQXQ=" + body);
  Settings in_url = post;
  in_url["introspection_url"] = "https://u:p@id.example.org/i?x=@";
  EXPECT_EQ(shown(introspection_request(plan(in_url), token)),
            "POST https://u:p@id.example.org/i?x=@" + std::string(kForm) + body);
  const Oauth2Plan grant =
      plan({{"grant_url", "http://x/g"}, {"client_id", "me"}, {"client_secret", "s&t"}, {"scope", "a b"}});
  EXPECT_EQ(shown(grant_request(grant, "joe@x", SecretString("p&w"))),
            "POST http://x/g" + std::string(kForm) +
                "|grant_type=password&username=joe%40x&password=p%26w&client_id=me&client_secret=s%26t&scope=a%20b");
}

// --- answers -------------------------------------------------------------------------

Kind kind_of(int status, const std::string& body, RefusalMeans means = RefusalMeans::Token,
             const std::string& header = "") {
  HttpAnswer answer;
  answer.status = status;
  answer.body = body;
  answer.why = "no route";
  if (!header.empty()) answer.headers.emplace_back("www-authenticate", header);
  const auto read = read_answer(answer, means, "x");
  const auto* verdict = std::get_if<TokenVerdict>(&read);
  return verdict == nullptr ? Kind::Right : verdict->kind;
}

TEST(Oauth2Http, Answers) {
  EXPECT_EQ(kind_of(200, R"({"a":1})"), Kind::Right);
  EXPECT_EQ(kind_of(200, R"({"error":"invalid_token"})"), Kind::Invalid);
  for (const char* body : {"", "[]", "<html>", "{"}) EXPECT_EQ(kind_of(200, body), Kind::Broken) << body;
  for (const int status : {0, 302, 404, 429, 500, 503})
    EXPECT_EQ(kind_of(status, R"({"error":"invalid_token"})"), Kind::Broken) << status;
  for (const int status : {400, 401, 403}) {
    EXPECT_EQ(kind_of(status, R"({"error":"invalid_token"})"), Kind::Invalid);
    EXPECT_EQ(kind_of(status, R"({"error":"invalid_grant"})", RefusalMeans::Us), Kind::Invalid);
    EXPECT_EQ(kind_of(status, R"({"error_description":"Invalid Value"})"), Kind::Invalid);
    EXPECT_EQ(kind_of(status, R"({"error":"insufficient_scope"})"), Kind::WrongScope);
    EXPECT_EQ(kind_of(status, R"({"error":"invalid_client"})"), Kind::Broken) << "that is us";
    EXPECT_EQ(kind_of(status, "", RefusalMeans::Token, R"(Bearer realm="x", error="insufficient_scope")"),
              Kind::WrongScope);
    EXPECT_EQ(kind_of(status, "", RefusalMeans::Us), Kind::Broken);
  }
  EXPECT_EQ(kind_of(401, ""), Kind::Invalid);
  EXPECT_EQ(kind_of(400, "<html>"), Kind::Broken);
}

}  // namespace
}  // namespace postern
