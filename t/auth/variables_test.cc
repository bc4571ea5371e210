#include "auth/variables.h"

#include <gtest/gtest.h>

#include "auth/fake_variables.h"

namespace postern {
namespace {

std::string expand(std::string_view text, const Variables& v = FakeVariables()) {
  const auto t = Template::compile(text);
  return t ? t->expand(v) : "ERROR " + t.error();
}

struct Case {
  const char* text;
  const char* expected;
};

TEST(Variables, Names) {  // AUTH-32
  constexpr Case kCases[] = {
      {"", ""},
      {"plain text", "plain text"},
      {"%u", "Joe@Example.ORG"},
      {"%n", "Joe"},
      {"%d", "Example.ORG"},
      {"%{user}", "Joe@Example.ORG"},
      {"%{username}", "Joe"},
      {"%{domain}", "Example.ORG"},
      {"%%", "%"},
      {"100%%u", "100%u"},
      {"<%u|%n>", "<Joe@Example.ORG|Joe>"},
      {"%Lu", "joe@example.org"},
      {"%L{user}", "joe@example.org"},
      {"%Un", "JOE"},
      {"%Rn", "eoJ"},
      {"%Xn", "0"},
      {"%Mn", "3a368818b7341d48660e8dd6c5a77dbe"},
      {"%LMn", "8ff32489f92f33416694be8fdc2d4c22"},
      {"%2n", "Jo"},
      {"%1.1n", "o"},
      {"%1.0n", "oe"},
      {"%-2.1n", "o"},
      {"%.2u", "Jo"},
      {"%.1Ln", "j"},
      {"%9.3n", ""},
      {"%{user | lower}", "joe@example.org"},
      {"%{user|username|upper}", "JOE"},
      {"%{ user | domain | lower }", "example.org"},
      {"%{user | substr(0, 2)}", "Jo"},
      {"%{session | default('none | really}')}", "none | really}"},
      {"%{passdb:host}", ""},
      {"%{passdb:host:10.0.0.1}", "10.0.0.1"},
      {"%{passdb:host | default(\"x\")}", "x"},
  };
  for (const Case& c : kCases) EXPECT_EQ(expand(c.text), c.expected) << c.text;
}

TEST(Variables, Errors) {
  constexpr Case kCases[] = {
      {"%z", "ERROR at position 1: unknown variable '%z'"},
      {"abc %{nonsense}", "ERROR at position 5: unknown variable '%{nonsense}'"},
      {"%", "ERROR at position 1: '%' without a variable; write '%%' for a percent sign"},
      {"%L", "ERROR at position 1: '%' without a variable; write '%%' for a percent sign"},
      {"%{user", "ERROR at position 1: '}' is missing"},
      {"%{user | frobnicate}", "ERROR at position 10: unknown filter 'frobnicate'"},
      {"%{user | lower(1)}", "ERROR at position 16: filter 'lower': too many arguments"},
      {"%{user | default(x)}", "ERROR at position 18: unknown variable 'x'"},
      {"%{user:x}", "ERROR at position 1: variable 'user' takes no ':'"},
      {"%{passdb}", "ERROR at position 1: %{passdb:NAME} needs a field name"},
      {"%{passdb:}", "ERROR at position 1: %{passdb:NAME} needs a field name"},
      {"%X2n", "ERROR at position 1: unknown variable '%2'"},
      {"%0-3.2n", "ERROR at position 1: unknown variable '%-'"},
      {"%LLLLLLLLLLLn", "ERROR at position 12: too many modifiers"},
      {"%{if;x;nope;y;a;b}", "ERROR at position 1: filter 'if': unknown comparison 'nope'"},
      {"%{if;x;%u;y;a;b}", "ERROR at position 1: filter 'if': unknown comparison ''"},
      {"%{if;a;eq}", "ERROR at position 1: if needs four or five parameters"},
      {"%{if}", "ERROR at position 1: if needs four or five parameters"},
      {"%{if;a;eq;a;x;y;z}", "ERROR at position 1: if needs four or five parameters"},
      {"%{if;x;eq;x;a:b;no}", "ERROR at position 14: a ':' is written '\\:' here"},
      {"%{if;x;eq;x;%{nope};b}",
       "ERROR at position 13: in a parameter of if: at position 1: unknown variable '%{nope}'"},
      {"%{if;%u;~;%n;a;b}", "ERROR at position 1: filter 'if': a regular expression must not have variables"},
      {"%{if;%u;~;(a)\\\\1;a;b}", "ERROR at position 1: filter 'if': a regular expression with a back-reference"},
      {"%{sha256;rounds=0:user}", "ERROR at position 1: filter '%hash': 'rounds' is between 1 and 100000"},
      {"%{sha256;nope=1:user}", "ERROR at position 1: unknown option 'nope=1'"},
      {"%{sha256;format=nope:user}", "ERROR at position 1: unknown format 'nope'"},
      {"%{sha256;rounds=2}", "ERROR at position 1: ':' and a name are missing"},
      {"%{SHA256:user}", "ERROR at position 1: unknown variable '%{SHA256:user}'"},
      {"%{system:nope}", "ERROR at position 1: unknown variable '%{system:nope}'"},
      {"%{user | encrypt(key='x')}", "ERROR at position 10: filter 'encrypt': not supported"},
      {"%{lower('x')}", "ERROR at position 9: filter 'lower': too many arguments"},
      {"%{lower()}", "ERROR at position 3: filter 'lower' needs an input here"},
      {"%{if('==', 1, 'a', 'b')}", "ERROR at position 3: filter 'if' needs an input here"},
      {"%{lookup(user)}", "ERROR at position 3: filter 'lookup': 'name' must not have variables"},
      {"%{lookup('nope')}", "ERROR at position 3: filter 'lookup': unknown variable 'nope'"},
      {"%{user | hash('md6')}", "ERROR at position 10: filter 'hash': unknown method"},
      {"%{user | substr('x')}", "ERROR at position 10: filter 'substr': 'offset' wants a number"},
      {"%{user | substr}", "ERROR at position 10: filter 'substr': arguments are missing"},
      {"%{user | md5(salty='x')}", "ERROR at position 14: filter 'md5': unknown parameter 'salty'"},
      {"%{user | regexp(domain, 'x')}", "ERROR at position 10: filter 'regexp': 'expression' must not have variables"},
      {"%{user | regexp('((a{99}){99}){99}', 'x')}",
       "ERROR at position 10: filter 'regexp': a regular expression with too many repetitions"},
      {"%{user lower}", "ERROR at position 8: '|' is missing before 'lower'"},
      {"%{user | default('x)}", "ERROR at position 1: '}' is missing"},
  };
  for (const Case& c : kCases) EXPECT_EQ(expand(c.text), c.expected) << c.text;
}

TEST(Variables, PatternsThatAreNone) {
  EXPECT_EQ(expand("%{user | regexp('(', 'x')}").find("ERROR at position 10: filter 'regexp': regular expression: "),
            0u);
}

TEST(Variables, OfTheConnection) {
  FakeVariables v;
  v.set(Variable::RemoteIp, "192.0.2.7")
      .set(Variable::LocalPort, "143")
      .set(Variable::Service, "imap")
      .field("forward_x", "y");
  EXPECT_EQ(expand("%r %{rip} %{remote_ip} %a %{local_port} %s %{protocol} %{passdb:forward_x}", v),
            "192.0.2.7 192.0.2.7 192.0.2.7 143 143 imap imap y");
}

TEST(Variables, ValuesAreNotExpandedAgain) { EXPECT_EQ(expand("%u", FakeVariables("%d%{password}")), "%d%{password}"); }

// What Dovecot 2.3.19 makes of these; t/system/variables_test.py asks it about more.
TEST(Variables, Modifiers) {  // AUTH-33
  FakeVariables v;
  v.set(Variable::LocalPort, "143").set(Variable::Session, " a\"b\\c'd ").set(Variable::LocalName, "mail.example.org");
  constexpr Case kCases[] = {
      {"%020n", "00000000000000000Joe"},
      {"%02n", "Joe"},
      {"%0n", "Joe"},
      {"%0.020n", "00000000000000000Joe"},
      {"%1.020n", "000000000000000000oe"},
      {"%00.20n", "Joe"},
      {"%-30.2n", "Jo"},
      {"%30.2n", ""},
      {"%-2n", "Jo"},
      {"%1.-1n", "o"},
      {"%1.-20n", "oe"},
      {"%0.-2n", "J"},
      {"%10.020n", "00000000000000000000"},
      {"%Xa", "8f"},
      {"%08Xa", "0000008f"},
      {"%1.1Xa", "f"},
      {"%08a", "00000143"},
      {"%1.1RLn", "o"},
      {"%E{session}", " a\\\"b\\\\c\\'d "},
      {"%T{session}", " a\"b\\c'd"},
      {"%ET{session}", " a\\\"b\\\\c\\'d"},
      {"%DU{local_name}", "MAIL,DC=EXAMPLE,DC=ORG"},
      {"%Hn", "5155"},
      {"%16Hn", "5"},
      {"%4.16Hn", "0005"},
      {"%Nn", "b7341d48"},
      {"%2.256Nn", "48"},
      {"%4Nn", "0"},
  };
  for (const Case& c : kCases) EXPECT_EQ(expand(c.text, v), c.expected) << c.text;
}

TEST(Variables, Functions) {  // AUTH-33
  FakeVariables v("Joe.t041@Example.ORG");
  constexpr Case kCases[] = {
      {"%{if;%n;~;J.*;yes;no}", "yes"},
      {"%{if;%n;!~;J.*;yes;no}", "no"},
      {"%{if;%n;~;^oe$;yes;no}", "no"},
      {"%{if;1;==;1;yes;no}", "yes"},
      {"%{if;10;<;9;yes;no}", "no"},
      {"%{if;10;lt;9;yes;no}", "yes"},
      {"%{if;%n;*;j*;yes;no}", "no"},
      {"%{if;%u;*;*@*;%{if;%d;eq;Example.ORG;a;b};c}", "a"},
      {"%{if;x;*;;a;b}", "b"},
      {"%{if;;eq;;a;b}", "a"},
      {"%{if;x;eq;y;a}", ""},
      {"%{if;\\%u;eq;\\%u;a;b}", "a"},
      {"%{if;a%%b;eq;a%%b;a%%;b}", "a%"},
      {"%{if;\\;;eq;\\;;a\\:;b}", "a:"},
      {"%{if;x;eq;x;{a};no}", "{a}"},
      {"%L{if;x;eq;x;YES;no}", "yes"},
      {"%2.1{if;x;eq;x;yes;no}", "s"},
      {"%{if;%{passdb:nope:d};eq;d;yes;no}", "yes"},
      {"%{md5:if;x;eq;x;a;b}", "0cc175b9c0f1b6a831c399e269772661"},
      {"%M{if;x;eq;x;a;b}", "0cc175b9c0f1b6a831c399e269772661"},
      {"%{if;don't;eq;don't;a;b}", "a"},
      {"%{sha256;rounds=2,salt=x;truncate=32:user}",
       "86554d6a7d3d2a3e2bdfc6c581404d386befad74a6e370f545349bbbcdb5f1f0"},
      {"%{env:NO_SUCH_THING}", ""},
      {"%{if;a;==;1;yes;no}", ""},
  };
  for (const Case& c : kCases) EXPECT_EQ(expand(c.text, v), c.expected) << c.text;
  EXPECT_EQ(expand("%{sha256;truncate=12:user}", FakeVariables("Joe.t047@Example.ORG")), "0176");
  EXPECT_EQ(expand("%{sha256;truncate=32:user}", FakeVariables("Joe.t046@Example.ORG")), "9e0ab04d");
  EXPECT_EQ(expand("%{sha256;rounds=2:user}", FakeVariables("Joe.t045@Example.ORG")),
            "1de38173d119608b38d4eec346b56d84cf4489fb84d72964a9397e6700ed6b0d");
  EXPECT_EQ(expand("%{sha3-256:user}", FakeVariables("Joe.t057@Example.ORG")),
            "2c1dd20af032de09b6c37d851fd5a0dea2541aca3a845e71081dc25e3a3b7878");
  EXPECT_EQ(expand("%{sha256;salt=%n:user}", FakeVariables("Joe.t040@Example.ORG")),
            "e1c7188c21f9324c559620c6cf65ca845d7e7677fb206edd6387c83e12decacf");
  EXPECT_EQ(expand("%{sha256;format=base64,truncate=32:user}", FakeVariables("Joe.t039@Example.ORG")), "1OU7lA==");
  EXPECT_FALSE(expand("%{system:cpu_count}").empty());
  EXPECT_EQ(expand("%{system:hostname}"), expand("%{hostname}"));
}

TEST(Variables, Pipes) {  // AUTH-33
  FakeVariables v;
  v.set(Variable::LocalPort, "143")
      .set(Variable::Session, "hello")
      .set(Variable::LocalName, "mail.example.org")
      .field("list", "one\ttw\001to\tthree");
  constexpr Case kCases[] = {
      {"%{lookup('user') | lower}", "joe@example.org"},
      {"%{literal('x\\'y\\n')}", "x'y\n"},
      {"%{literal(user)}", "Joe@Example.ORG"},
      {"%{concat('%', username)}", "%Joe"},
      {"%{username | concat('@', 5)}", "Joe@5"},
      {"%{local_port + 1000}", "1143"},
      {"%{local_port-100}", "43"},
      {"%{ local_port * 2 | hex }", "11e"},
      {"%{local_port / 10 % 4}", "2"},
      {"%{local_port / 0}", ""},
      {"%{user + 1}", ""},
      {"%{user + 1 | default('none')}", "none"},
      {"%{local_port | calculate('+', local_port)}", "286"},
      {"%{session | md5}", "5d41402abc4b2a76b9719d911017c592"},
      {"%{session | hash('md5')}", "5d41402abc4b2a76b9719d911017c592"},
      {"%{session | md5 | hexlify(8)}", "5d41402a"},
      {"%{session | md5 | substr(4, 4)}", "bc4b2a76"},
      {"%{session | md5 | substr(0, 8) % 256 | hex}", "76"},
      {"%{session | md5 % 30 | hex(4)}", "0016"},
      {"%{session | md5 % 30 | hex(-4)}", "1600"},
      {"%{session | sha1 | base64}", "qvTGHdzF6KLavt4PO0gs2a6pQ00="},
      {"%{session | sha1 | base64(pad=0, url=1)}", "qvTGHdzF6KLavt4PO0gs2a6pQ00"},
      {"%{session | md5(rounds=1, salt='x') | truncate(2)}", "a27e"},
      {"%{session | base64 | unbase64 | text}", "hello"},
      {"%{session | hexlify | unhexlify | text | upper}", "HELLO"},
      {"%{session | unhexlify}", ""},
      {"%{literal('ff') | unhex}", "255"},
      {"%{literal('ab') | benumber}", "24930"},
      {"%{literal('ab') | lenumber}", "25185"},
      {"%{passdb:none | default('x')}", "x"},
      {"%{user | reverse | substr(-3, 2)}", "eo"},
      {"%{user | substr(0, -4)}", "Joe@Example"},
      {"%{session | truncate(bits=4) | hexlify}", "06"},
      {"%{local_name | ldap_dn}", "dc=mail,dc=example,dc=org"},
      {"%{if(username, 'eq', 'Joe', domain, 'b')}", "Example.ORG"},
      {"%{user | if('*', '*@*', 'a', 'b')}", "a"},
      {"%{if(1, '<', 2, 'a', 'b') | upper}", "A"},
      {"%{domain | switch('Example.COM', 'c', 'Example.ORG', 'o', '-')}", "o"},
      {"%{session | switch('x', 'y', 'else')}", "else"},
      {"%{session | switch('x', 'y')}", ""},
      {"%{user | regexp('^([^@]+)@(.*)$', '\\\\2/\\\\1')}", "Example.ORG/Joe"},
      {"%{user | regexp('[0-9]', 'x')}", "Joe@Example.ORG"},
      {"%{user | index('@', -1)}", "Example.ORG"},
      {"%{user | index('@', 5) | default('none')}", "none"},
      {"%{passdb:list | list}", "one,tw\to,three"},
      {"%{passdb:list | list(' ')}", "one tw\to three"},
      {"%{literal('1') | lfill(3)}", "001"},
      {"%{literal('1') | rfill(4, 'ab')}", "1aba"},
      {"%{literal('1') | lfill(999999999)}", ""},
      {"%{user | safe}", "Joe@Example.ORG"},
      {"%{literal('}|')}", "}|"},
      {"%U{user | username}", "JOE"},
  };
  for (const Case& c : kCases) EXPECT_EQ(expand(c.text, v), c.expected) << c.text;
}

TEST(Variables, PartsGiveTheirValues) {  // AUTH-19: sinks escape values, and all of them
  const auto t = Template::compile("(uid=%{user | lower | safe})(x=%{if;a;eq;a;*;b})");
  ASSERT_TRUE(t);
  std::string out;
  for (const Template::Part& part : t->parts())
    out += part.literal + '<' + Template::expand_part(part, FakeVariables()) + '>';
  EXPECT_EQ(out, "(uid=<joe@example.org>)(x=<*>)<>");
}

TEST(Variables, UsesWithinFunctions) {
  const auto t =
      Template::compile("%{if;%{passdb:host};eq;;%s;%{session | concat(password)}}%{sha1;salt=%r:local_name}");
  ASSERT_TRUE(t);
  for (Variable v : {Variable::PassdbField, Variable::Service, Variable::Session, Variable::Password,
                     Variable::RemoteIp, Variable::LocalName})
    EXPECT_TRUE(t->uses(v)) << name_of(v);
  EXPECT_FALSE(t->uses(Variable::Nothing));
  EXPECT_FALSE(t->is_constant());
}

TEST(Variables, Limits) {
  EXPECT_FALSE(Template::compile(std::string(Template::kMaxText + 1, 'x')));
  std::string nested = "x";
  for (int i = 0; i < 20; ++i) nested = "%{if;a;eq;a;" + nested + ";b}";
  EXPECT_NE(expand(nested).find("too many functions within functions"), std::string::npos);
  std::string hashes = "user";
  for (int i = 0; i < 20; ++i) hashes = "md5:" + hashes;
  EXPECT_NE(expand("%{" + hashes + "}").find("too many functions within functions"), std::string::npos);
  std::string doubled = "%{user";
  for (int i = 0; i < 60; ++i) doubled += "|hexlify";
  EXPECT_EQ(expand(doubled + "}"), "") << "values stay bounded";
  std::string many;
  for (int i = 0; i < 600; ++i) many += "%{literal('x')|lfill(9999)}";
  EXPECT_EQ(expand(many), "") << "expansions stay bounded";
  EXPECT_EQ(expand("%{user | regexp('o', 'x')}", FakeVariables(std::string(5000, 'o'))).find('x'), std::string::npos)
      << "long subjects are not matched";
}

TEST(Variables, EveryRowHasAName) {
  for (size_t i = 0; i < static_cast<size_t>(Variable::kCount); ++i)
    EXPECT_EQ(find_variable(name_of(static_cast<Variable>(i))), static_cast<Variable>(i)) << i;
}

TEST(Variables, NamesWithoutOrWithManyDomains) {
  EXPECT_EQ(expand("%n/%d", FakeVariables("joe")), "joe/");
  EXPECT_EQ(expand("%n/%d/%{domain_first}/%{domain_last}", FakeVariables("a@b@c")), "a/b@c/b/c");
}

}  // namespace
}  // namespace postern
