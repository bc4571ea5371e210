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
      {"%Xn", "4a6f65"},
      {"%Mn", "3a368818b7341d48660e8dd6c5a77dbe"},
      {"%LMn", "8ff32489f92f33416694be8fdc2d4c22"},
      {"%2n", "Jo"},
      {"%1.1n", "o"},
      {"%1.0n", "oe"},
      {"%-2.1n", "o"},
      {"%.2u", "Jo"},
      {"%L.1n", "j"},
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
      {"%{user | frobnicate}", "ERROR at position 1: unknown filter 'frobnicate'"},
      {"%{user | lower(1)}", "ERROR at position 1: filter 'lower' has wrong arguments"},
      {"%{user | default(x)}", "ERROR at position 1: argument x is neither quoted nor a number"},
      {"%{user:x}", "ERROR at position 1: variable 'user' takes no ':'"},
      {"%{passdb}", "ERROR at position 1: %{passdb:NAME} needs a field name"},
      {"%{passdb:}", "ERROR at position 1: %{passdb:NAME} needs a field name"},
      {"%02n", "ERROR at position 2: zero padding is not supported"},
  };
  for (const Case& c : kCases) EXPECT_EQ(expand(c.text), c.expected) << c.text;
}

TEST(Variables, OfTheConnection) {
  FakeVariables v;
  v.set(Variable::RemoteIp, "192.0.2.7").set(Variable::LocalPort, "143").set(Variable::Service, "imap").field("forward_x", "y");
  EXPECT_EQ(expand("%r %{rip} %{remote_ip} %a %{local_port} %s %{protocol} %{passdb:forward_x}", v),
            "192.0.2.7 192.0.2.7 192.0.2.7 143 143 imap imap y");
}

TEST(Variables, ValuesAreNotExpandedAgain) {
  EXPECT_EQ(expand("%u", FakeVariables("%d%{password}")), "%d%{password}");
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
