// LDAP: filters, DNs, attribute lists and the settings; the server is in t/system/ldap_test.py.
#include <gtest/gtest.h>

#include "auth/db_ldap_plan.h"
#include "auth/fake_variables.h"
#include "base/text.h"

namespace postern {
namespace {

std::string expand(std::string_view text, const Variables& variables = FakeVariables()) {
  const auto compiled = LdapTemplate::compile(text);
  return compiled ? compiled->expand(variables) : "ERROR " + compiled.error();
}

// What RFC 4515 and RFC 4514 make of \XX.
std::string unescaped(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    out += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
    i += 2;
  }
  return out;
}

std::string all_octets() {
  std::string out;
  for (int c = 0; c < 256; ++c) out += static_cast<char>(c);
  return out;
}

TEST(LdapText, Values) {  // AUTH-19
  EXPECT_EQ(escape_ldap("joe.x_y-z@example.org"), "joe.x_y-z@example.org");
  EXPECT_EQ(escape_ldap("*)(uid=*"), "\\2a\\29\\28uid\\3d\\2a");
  EXPECT_EQ(escape_ldap("a\\b, c+d"), "a\\5cb\\2c\\20c\\2bd");
  EXPECT_EQ(escape_ldap(std::string("a\0b\xc3\xb6", 5)), "a\\00b\\c3\\b6");
  EXPECT_EQ(unescaped(escape_ldap(all_octets())), all_octets());
}

TEST(LdapText, Templates) {
  EXPECT_EQ(expand("(&(objectClass=posixAccount)(uid=%u))"), "(&(objectClass=posixAccount)(uid=Joe@Example.ORG))");
  EXPECT_EQ(expand("uid=%Ln,ou=people,dc=%d"), "uid=joe,ou=people,dc=Example.ORG");
  EXPECT_EQ(expand("(cn=100%%)"), "(cn=100%)");
  EXPECT_EQ(expand("(uid=%{user | upper})"), "(uid=JOE@EXAMPLE.ORG)");
  EXPECT_EQ(expand("(uid=%Z)"), "ERROR at position 6: unknown variable '%Z'");
}

// A filter's effect on a value comes before the escape, so that nothing can cut one in two or take it away
// (CVE-2026-27851).
TEST(LdapText, FiltersCannotUndoTheEscape) {
  const FakeVariables hostile("*)(a=\\");
  EXPECT_EQ(expand("(uid=%3u)", hostile), "(uid=\\2a\\29\\28)");
  EXPECT_EQ(expand("(uid=%Ru)", hostile), "(uid=\\5c\\3da\\28\\29\\2a)");
  EXPECT_EQ(expand("(uid=%Eu)", hostile), "(uid=\\2a\\29\\28a\\3d\\5c\\5c)");
  EXPECT_EQ(expand("(uid=%{user | default('x') | lower})", hostile), "(uid=\\2a\\29\\28a\\3d\\5c)");
  EXPECT_EQ(expand("(uid=%{user | default('(*')})", FakeVariables("")), "(uid=\\28\\2a)");
}

std::string shape(std::string_view text) {
  std::string out;
  for (char c : text)
    if (std::string_view("()&|!*=<>~:,+;\"# \n").find(c) != std::string_view::npos) out += c;
  return out;
}

TEST(LdapText, NoValueChangesTheShape) {
  constexpr std::string_view kTexts[] = {"(uid=%u)", "(|(uid=%n)(mail=%u)(&(o=%d)(!(l=%r))))", "uid=%n,ou=%d,dc=x",
                                         "(mail=%n*)", "%u"};
  std::string long_one;
  for (int i = 0; i < 200; ++i) long_one += "*)(|(&(!(=,+";
  for (std::string_view text : kTexts)
    for (const std::string& value :
         {all_octets(), std::string("*)(uid=*"), std::string(")"), std::string("x,ou=y"), std::string("@"), long_one})
      EXPECT_EQ(shape(expand(text, FakeVariables(value))), shape(expand(text, FakeVariables("x@y"))))
          << text << " " << printable(value);
}

// --- attributes ------------------------------------------------------------------

LdapEntry entry() {
  LdapEntry out;
  out.dn = "uid=joe,dc=x";
  out.values = {
      {"uid", {"joe"}}, {"userpassword", {"{PLAIN}a", "{PLAIN}b"}}, {"mail", {"Joe@x", "j@x"}}, {"l", {"h1"}}};
  return out;
}

// "names | fields of an entry | what has several values".
std::string fill(std::string_view list, DbKind kind = DbKind::Passdb) {
  const auto attributes = LdapAttributes::parse(list);
  if (!attributes) return "ERROR " + attributes.error();
  RowBuilder builder(kind);
  std::vector<std::string> several;
  attributes->fill(entry(), FakeVariables(), builder, several);
  const DbRow row = builder.take();
  std::string out;
  for (const std::string& name : attributes->names()) out += name + " ";
  out += "|";
  if (row.password) out += " password=" + std::string(row.password->reveal());
  for (const auto& [name, value] : row.fields) out += " " + name + "=" + value;
  for (const std::string& name : several) out += " | " + name;
  return out;
}

struct Case {
  const char* list;
  const char* expected;
};
TEST(LdapAttributes, Lists) {  // AUTH-20, the manual of 2.3
  constexpr Case kCases[] = {
      {"uid=user, l=host", "uid l | user=joe host=h1"},
      {"uid=user, userPassword=password, =proxy=y, =host=10.0.0.1",
       "uid userPassword | password={PLAIN}a user=joe proxy=y host=10.0.0.1"},
      {"UID=user,L=host", "UID L | user=joe host=h1"},
      {"l=host=mail-%$.example.org", "l | host=mail-h1.example.org"},
      {"l=host=%U$", "l | host=H1"},
      {"=home=/srv/%d/%{ldap:uid}", "uid | home=/srv/Example.ORG/joe"},
      {"=home=%{ldap:nothing:/dev/null}", "nothing | home=/dev/null"},
      {"=x=%{ldap:nothing}", "nothing | x="},
      {"=dn=%{ldap_dn}", "| dn=uid=joe,dc=x"},
      {"=x=%L{ldap:mail}, =y=%{ldap:mail | upper}", "mail | x=joe@x y=JOE@X"},
      {"mail=destuser", "mail | destuser=Joe@x | mail"},
      {"nothing=host, l", "nothing l |"},
      {"l=", "l |"},
      {"=nologin", "| nologin="},
      {"=nologin=", "| nologin="},
      {"uid=user:protected, l=userdb_quota=*:storage=%$", "uid l | user:protected=joe userdb_quota=*:storage=h1"},
      {"=a=100%%, =b=%{user | substr(0, 3)}", "| a=100% b=Joe"},
      {"=x=%{if;%{ldap:l};eq;h1;%{ldap:uid};no}", "l uid | x=joe"},
      {"", "|"},
      {" , ,", "|"},
      {"@sub=x", "ERROR @sub=x: searches from inside a search are not supported"},
      {"u(id=user", "ERROR u(id=user: not the name of an attribute"},
      {"==x", "ERROR ==x: a field's name is missing"},
      {"=x=%{nothing}", "ERROR =x=%{nothing}: at position 1: unknown variable '%{nothing}'"},
  };
  for (const Case& c : kCases) EXPECT_EQ(fill(c.list), c.expected) << c.list;
  EXPECT_EQ(fill("uid=user, userPassword=password", DbKind::Userdb), "uid userPassword | user=joe");
}

TEST(LdapAttributes, WithoutAnEntry) {
  auto attributes = LdapAttributes::parse("uid=user, userPassword=password, =proxy=y, =host=%d, =x=%{ldap:l}, l");
  ASSERT_TRUE(attributes);
  RowBuilder row;
  attributes->fill_constants(FakeVariables(), row);
  EXPECT_EQ(row.take().fields, (FieldList{{"proxy", "y"}, {"host", "Example.ORG"}}));
  std::vector<VariableUse> uses;
  attributes->add_uses_to(uses);
  EXPECT_EQ(uses, (std::vector<VariableUse>{{Variable::Domain, ""}}));
  attributes->drop_password();
  EXPECT_EQ(attributes->names(), (std::vector<std::string>{"uid", "l"}));
}

// --- settings ----------------------------------------------------------------------

DatabaseSettings block(std::initializer_list<std::pair<const char*, const char*>> keys) {
  DatabaseSettings s;
  s.driver = "ldap";
  s.driver_settings["ldap_uris"] = "ldap://a ldaps://b";
  s.driver_settings["ldap_base"] = "dc=x";
  for (const auto& [name, value] : keys) s.driver_settings[std::string("ldap_") + name] = value;
  return s;
}

TEST(LdapPlan, Defaults) {
  const auto plan = LdapPlan::from(block({}), DbKind::Passdb);
  ASSERT_TRUE(plan) << plan.error();
  EXPECT_EQ(plan->access.uris, (std::vector<std::string>{"ldap://a", "ldaps://b"}));
  EXPECT_EQ(plan->filter.expand(FakeVariables("joe")), "(&(objectClass=posixAccount)(uid=joe))");
  EXPECT_EQ(plan->attributes.names(), (std::vector<std::string>{"uid", "userPassword"}));
  EXPECT_EQ(plan->access.require_cert, 2) << "demand";
  EXPECT_EQ(plan->scope, 2) << "subtree";
  EXPECT_EQ(plan->deref, 0) << "never";
  EXPECT_EQ(plan->access.timeout, Milliseconds(10'000));
  EXPECT_FALSE(plan->auth_bind || plan->access.start_tls);
  const auto user = LdapPlan::from(block({{"auth_bind", "yes"}}), DbKind::Userdb);
  ASSERT_TRUE(user);
  EXPECT_FALSE(user->auth_bind);
  EXPECT_EQ(user->attributes.names(), (std::vector<std::string>{"homeDirectory", "uidNumber", "gidNumber"}));
}

TEST(LdapPlan, Values) {
  const auto plan = LdapPlan::from(block({{"uris", ""},
                                          {"hosts", "h1 h2:3389"},
                                          {"dn", "cn=x"},
                                          {"dnpass", "y"},
                                          {"tls", "yes"},
                                          {"tls_ca_cert_file", "</a/ca.pem"},
                                          {"tls_require_cert", "never"},
                                          {"scope", "onelevel"},
                                          {"deref", "always"},
                                          {"timeout", "2 secs"},
                                          {"auth_bind", "yes"},
                                          {"auth_bind_userdn", "uid=%n,dc=x"},
                                          {"ldap_version", "3"},
                                          {"sasl_bind", "no"},
                                          {"debug_level", "7"}}),
                                   DbKind::Passdb);
  ASSERT_TRUE(plan) << plan.error();
  EXPECT_EQ(plan->access.uris, (std::vector<std::string>{"ldap://h1", "ldap://h2:3389"}));
  EXPECT_TRUE(plan->access.start_tls && plan->auth_bind && plan->bind_dn);
  EXPECT_EQ(plan->access.ca_file, "/a/ca.pem");
  EXPECT_EQ(plan->access.require_cert, 0);
  EXPECT_EQ(plan->scope, 1);
  EXPECT_EQ(plan->deref, 3);
  EXPECT_EQ(plan->access.timeout, Milliseconds(2'000));
  EXPECT_EQ(plan->attributes.names(), (std::vector<std::string>{"uid"})) << "no password is asked for";
}

TEST(LdapPlan, Errors) {
  struct {
    const char *key, *value, *expected;
  } const kCases[] = {
      {"uris", "http://x", "ldap_uris: http://x: accepted: ldap://, ldaps:// and ldapi:// addresses"},
      {"uris", "", "ldap_uris: missing"},
      {"dn", "cn=x", "ldap_dnpass: missing beside dn"},
      {"scope", "deep", "ldap_scope: deep: accepted: base, onelevel, subtree"},
      {"tls", "maybe", "ldap_tls: maybe: accepted: no, yes"},
      {"tls_require_cert", "sometimes", "ldap_tls_require_cert: sometimes: accepted: never, hard, demand, allow, try"},
      {"ldap_version", "2", "ldap_ldap_version: 2: accepted: 3"},
      {"timeout", "5", "ldap_timeout: 5: accepted: a time from 100 ms to 60 secs"},
      {"timeout", "2 hours", "ldap_timeout: 2 hours: accepted: a time from 100 ms to 60 secs"},
      {"pass_filter", "(uid=%Z)", "ldap_pass_filter: at position 6: unknown variable '%Z'"},
      {"pass_attrs", "=x=%Z", "ldap_pass_attrs: =x=%Z: at position 1: unknown variable '%Z'"},
      {"iterate_filter", "%Z", "ldap_iterate_filter: at position 1: unknown variable '%Z'"},
      {"default_pass_scheme", "ROT13", "ldap_default_pass_scheme: ROT13: unknown scheme"},
      {"sasl_bind", "yes", "ldap_sasl_bind: not supported"},
      {"ldaprc_path", "/x", "ldap_ldaprc_path: not supported"},
  };
  for (const auto& c : kCases) {
    const auto plan = LdapPlan::from(block({{c.key, c.value}}), DbKind::Passdb);
    ASSERT_FALSE(plan) << c.key;
    EXPECT_EQ(plan.error(), c.expected);
  }
  EXPECT_EQ(LdapPlan::from(block({{"auth_bind", "yes"}, {"auth_bind_userdn", "cn=admin"}}), DbKind::Passdb).error(),
            "ldap_auth_bind_userdn: needs a variable, such as %u: it is another for each user");
}

TEST(LdapPlan, Traits) {
  const auto bind = describe_ldap(block({{"base", "dc=%d"},
                                         {"pass_filter", "(&(uid=%n)(s=%s))"},
                                         {"auth_bind", "yes"},
                                         {"auth_bind_userdn", "%u"},
                                         {"pass_attrs", "=x=%r"}}),
                                  DbKind::Passdb);
  ASSERT_TRUE(bind) << bind.error();
  EXPECT_TRUE(bind->verifies);
  EXPECT_EQ(bind->uses, (std::vector<VariableUse>{{Variable::Domain, ""},
                                                  {Variable::Username, ""},
                                                  {Variable::Service, ""},
                                                  {Variable::RemoteIp, ""},
                                                  {Variable::User, ""}}));
  const auto search = describe_ldap(block({}), DbKind::Passdb);
  ASSERT_TRUE(search);
  EXPECT_FALSE(search->verifies);
  EXPECT_EQ(search->default_scheme, "CRYPT");
}

// --- servers ---------------------------------------------------------------------

class Servers : public testing::Test {
 protected:
  std::string next() {
    const std::string* uri = servers_.next(now_);
    return uri == nullptr ? "none" : *uri;
  }
  std::string first_of_lookup() {
    servers_.begin_lookup();
    return next();
  }
  void fail() { servers_.failed(now_); }
  void pass(int seconds) { now_ += std::chrono::seconds(seconds); }

  LdapServers servers_{{"a", "b"}};
  Instant now_ = Instant() + std::chrono::hours(1);
};

TEST_F(Servers, InTheirOrder) {  // AUTH-20
  EXPECT_EQ(first_of_lookup(), "a");
  EXPECT_EQ(first_of_lookup(), "a");
  fail();
  EXPECT_EQ(next(), "b");
  fail();
  EXPECT_EQ(next(), "none") << "each once for a look-up";
}

TEST_F(Servers, OneThatFailedRests) {
  for (const int rest : {1, 5, 25, 60, 60}) {
    ASSERT_EQ(first_of_lookup(), "a");
    fail();
    EXPECT_EQ(next(), "b");
    servers_.worked();
    pass(rest - 1);
    EXPECT_EQ(first_of_lookup(), "b") << rest;
    pass(1);
  }
  ASSERT_EQ(first_of_lookup(), "a");
  servers_.worked();
  EXPECT_EQ(first_of_lookup(), "a");
}

TEST_F(Servers, AloneTheyRestLess) {
  for (int i = 0; i < 4; ++i) {  // both rest for 60 s then
    for (const char* uri : {"a", "b"}) {
      servers_.begin_lookup();
      while (next() != uri) {}
      fail();
    }
    pass(60);
  }
  ASSERT_EQ(first_of_lookup(), "a");
  fail();
  EXPECT_EQ(next(), "b");
  fail();
  pass(14);
  EXPECT_EQ(first_of_lookup(), "none");
  pass(1);
  EXPECT_EQ(first_of_lookup(), "a");
}

}  // namespace
}  // namespace postern
