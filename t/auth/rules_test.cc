// Fields, names, field checks, delayed replies: the small rules around the chain.
#include <gtest/gtest.h>

#include <set>

#include "auth/checks.h"
#include "auth/delay_line.h"
#include "auth/fake_variables.h"
#include "auth/fields.h"
#include "auth/username.h"

namespace postern {
namespace {

// --- fields ------------------------------------------------------------------

TEST(Fields, Suffixes) {  // FLD-2, AUTH-8
  FieldSet f;
  f.apply("host", "a");
  f.apply("host:protected", "b");
  f.apply("port:default", "143");
  f.apply("port", "993");
  f.apply("reason", "x");
  f.apply("reason:remove", "");
  EXPECT_EQ(f.list(), (FieldList{{"host", "a"}, {"port", "993"}}));
  EXPECT_EQ(field_base_name("a:remove"), "a");
  EXPECT_EQ(field_base_name(":remove"), ":remove");
  EXPECT_EQ(field_base_name("a:other"), "a:other");
}

TEST(Fields, BooleansAreTrueWhenPresent) {  // FLD-1
  FieldSet f;
  f.apply("nologin", "no");
  f.apply("proxy", "");
  EXPECT_TRUE(f.has("nologin"));
  EXPECT_TRUE(f.has("proxy"));
  EXPECT_FALSE(f.has("host"));
  EXPECT_EQ(f.text("host"), "");
}

// --- names -------------------------------------------------------------------

UsernameRules rules(UsernameRules::Settings s) {
  auto r = UsernameRules::compile(s);
  EXPECT_TRUE(r);
  return std::move(*r);
}
const UsernameRules::Settings kDefault{"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ01234567890.-_@", "", "%Lu",
                                       "", ""};

std::string normal(const UsernameRules& r, std::string_view raw) {
  const auto name = r.normalize(raw, FakeVariables());
  return name ? *name : "ERROR " + name.error();
}

TEST(Username, Defaults) {  // AUTH-11
  const auto r = rules(kDefault);
  EXPECT_EQ(normal(r, "Joe@Example.ORG"), "joe@example.org");
  EXPECT_EQ(normal(r, "joe"), "joe");
  EXPECT_EQ(normal(r, ""), "ERROR Empty username");
  EXPECT_EQ(normal(r, "joe'x"), "ERROR Username character disallowed by auth_username_chars: 0x27 (username: joe'x)");
  EXPECT_EQ(normal(r, "jo\xc3\xa9"),
            "ERROR Username character disallowed by auth_username_chars: 0xc3 (username: jo\xc3\xa9)");
}

TEST(Username, EmptySetAllowsAllButNul) {
  auto s = kDefault;
  s.chars = "";
  s.format = "";
  const auto r = rules(s);
  EXPECT_EQ(normal(r, "J\xc3\xb6 '%\""), "J\xc3\xb6 '%\"");
  EXPECT_EQ(normal(r, std::string_view("a\0b", 3)),
            "ERROR Username character disallowed by auth_username_chars: 0x00 (username: a\\x00b)");
}

TEST(Username, RealmThenTranslationThenFormat) {
  auto s = kDefault;
  s.default_realm = "Realm.Test";
  s.translation = "%@#@";
  const auto r = rules(s);
  EXPECT_EQ(normal(r, "joe"), "joe@realm.test");
  EXPECT_EQ(normal(r, "joe@x"), "joe@x");
  EXPECT_EQ(normal(r, "joe#x"), "joe@x@realm.test") << "the realm comes before the translation";
}

TEST(Username, FormatMayUseTheConnection) {
  auto s = kDefault;
  s.format = "%n.%s@%d";
  FakeVariables v;
  v.set(Variable::Service, "imap");
  EXPECT_EQ(*rules(s).normalize("a@b", v), "a.imap@b");
  s.format = "%d";
  EXPECT_EQ(normal(rules(s), "joe"), "ERROR auth_username_format made an empty username of joe");
}

TEST(Username, BadSettings) {
  auto s = kDefault;
  s.translation = "abc";
  EXPECT_FALSE(UsernameRules::compile(s));
  s = kDefault;
  s.format = "%z";
  EXPECT_EQ(UsernameRules::compile(s).error(),
            "auth_username_format: at position 1: unknown variable '%z'; accepted: the %-variables of postern.conf(5)");
  s.format = "%{password}";
  EXPECT_FALSE(UsernameRules::compile(s));
}

TEST(Username, MasterSeparator) {  // AUTH-12: at the first one
  auto s = kDefault;
  EXPECT_FALSE(rules(s).split("joe*boss").is_master_login);
  s.master_separator = "*+";
  const auto r = rules(s);
  EXPECT_EQ(r.split("joe*boss*x").login, "joe");
  EXPECT_EQ(r.split("joe*boss*x").master, "boss*x");
  EXPECT_FALSE(r.split("joe+boss").is_master_login) << "only the first character counts";
  EXPECT_TRUE(r.split("joe*").is_master_login);
}

// --- checks --------------------------------------------------------------------

IpAddress ip(const char* text) { return *IpAddress::parse(text); }

struct NetCase {
  const char* list;
  const char* address;  // empty: none
  bool allowed;
  size_t invalid;
};
TEST(Checks, Networks) {  // AUTH-9
  constexpr NetCase kCases[] = {
      {"192.0.2.1", "192.0.2.1", true, 0},
      {"192.0.2.0/24", "192.0.2.200", true, 0},
      {"192.0.2.0/24", "192.0.3.1", false, 0},
      {"10.0.0.0/8, 192.0.2.0/24", "192.0.2.1", true, 0},
      {"::1", "127.0.0.1", false, 0},
      {"2001:db8::/32", "2001:db8::7", true, 0},
      {"foo,127.0.0.0/8", "127.0.0.1", true, 1},
      {"local", "127.0.0.1", false, 0},
      {"local", "", true, 0},
      {"0.0.0.0/0", "", false, 0},
      {"", "127.0.0.1", false, 0},
  };
  for (const NetCase& c : kCases) {
    std::vector<std::string> invalid;
    EXPECT_EQ(is_in_networks(c.list, *c.address ? ip(c.address) : IpAddress(), invalid), c.allowed) << c.list;
    EXPECT_EQ(invalid.size(), c.invalid) << c.list;
  }
}

TEST(Checks, FieldsThatRefuse) {
  std::vector<std::string> notes;
  FieldSet f;
  EXPECT_TRUE(check_fields(f, ip("192.0.2.1"), ip("127.0.0.1"), notes));
  f.set("allow_nets", "192.0.2.0/24");
  EXPECT_TRUE(check_fields(f, ip("192.0.2.1"), ip("127.0.0.1"), notes));
  EXPECT_EQ(check_fields(f, ip("192.0.9.1"), ip("127.0.0.1"), notes).error(),
            "allow_nets check failed: IP 192.0.9.1 not in allowed networks");
  EXPECT_EQ(check_fields(f, IpAddress(), ip("127.0.0.1"), notes).error(),
            "allow_nets check failed: Remote IP not known and 'local' missing");
  f.set("allow_real_nets", "127.0.0.2,x");
  EXPECT_EQ(check_fields(f, ip("192.0.2.1"), ip("127.0.0.1"), notes).error(),
            "allow_real_nets check failed: IP 127.0.0.1 not in allowed networks");
  EXPECT_EQ(notes, std::vector<std::string>{"allow_real_nets: Invalid network 'x'"});
  f = FieldSet();
  f.set("fail", "no");
  EXPECT_FALSE(check_fields(f, ip("192.0.2.1"), ip("127.0.0.1"), notes));
}

struct UntilCase {
  const char* value;
  const char* expected;  // seconds, or the error
};
TEST(Checks, DelayUntil) {  // ALG-10, 12, 13; now is 1000, randomness gives its largest value
  constexpr UntilCase kCases[] = {
      {"1000", "0"},
      {"999", "0"},
      {"1+500", "0"},
      {"1002", "1002"},
      {"1300", "1300"},
      {"1002+0", "1002"},
      {"1002+5", "1006"},
      {"1290+100", "1300"},
      {"1301", "delay_until timestamp 1301 is too much in the future, failing"},
      {"tomorrow", "Invalid delay_until timestamp 'tomorrow'"},
      {"", "Invalid delay_until timestamp ''"},
      {"1000+x", "Invalid delay_until randomness number '1000+x'"},
      {"1000+", "Invalid delay_until randomness number '1000+'"},
      {"-5", "Invalid delay_until timestamp '-5'"},
  };
  for (const UntilCase& c : kCases) {
    const auto until = parse_delay_until(c.value, 1000, 300, [](uint64_t n) { return n - 1; });
    EXPECT_EQ(until ? std::to_string(*until) : until.error(), c.expected) << c.value;
  }
}

// --- delayed replies ---------------------------------------------------------------

Instant at(int ms) { return Instant(Milliseconds(ms)); }
uint64_t last(uint64_t n) { return n - 1; }

TEST(DelayLine, BatchesOfFailures) {  // AUC-1
  DelayLine line(at(100));
  line.add_batched(1, at(2105));
  line.add_batched(2, at(2590));
  line.add_batched(3, at(2600));
  line.add_batched(4, at(2601));
  ASSERT_TRUE(line.next());
  EXPECT_EQ(*line.next(), at(2600));
  EXPECT_TRUE(line.take_due(at(2599), last).empty());
  const auto due = line.take_due(at(2600), last);
  EXPECT_EQ(std::set<uint64_t>(due.begin(), due.end()), (std::set<uint64_t>{1, 2, 3}));
  EXPECT_EQ(*line.next(), at(3100));
  EXPECT_EQ(line.take_due(at(9000), last), std::vector<uint64_t>{4});
  EXPECT_FALSE(line.next());
}

TEST(DelayLine, BatchesAreShuffled) {
  DelayLine line(at(0));
  for (uint64_t i = 0; i < 5; ++i) line.add_batched(i, at(10));
  EXPECT_EQ(line.take_due(at(500), [](uint64_t) { return uint64_t{0}; }), (std::vector<uint64_t>{1, 2, 3, 4, 0}));
}

TEST(DelayLine, ExactTimes) {
  DelayLine line(at(0));
  line.add(7, at(33));
  EXPECT_EQ(*line.next(), at(33));
  EXPECT_EQ(line.size(), 1u);
}

// DECISIONS 1: followed, and warned of.
TEST(TlsFields, WhatIsHardlyMeantSo) {
  const auto surprise = [](FieldList list) {
    FieldSet fields;
    for (const auto& [name, value] : list) fields.set(name, value);
    return std::string(surprise_in_tls(fields));
  };
  EXPECT_EQ(surprise({{"ssl", "yes"}}), "");
  EXPECT_EQ(surprise({{"starttls", "any-cert"}}), "");
  EXPECT_EQ(surprise({{"ssl", "any-cert"}, {"starttls", "any-cert"}}), "");
  EXPECT_EQ(surprise({{"ssl", "No"}}), "ssl=no or starttls=no still means TLS; remove the field for none");
  EXPECT_EQ(surprise({{"ssl", "any-cert"}, {"starttls", "y"}}),
            "any-cert in one of ssl and starttls: no certificate is checked");
}

}  // namespace
}  // namespace postern
