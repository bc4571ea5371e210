#include "proto/smtp/envelope.h"

#include <gtest/gtest.h>

#include "base/base64.h"
#include "proto/smtp/xclient.h"

namespace postern::smtp {
namespace {

using std::string;
using std::string_view;

EnvelopeRules usual() {
  EnvelopeRules rules;
  rules.eight_bit = true;
  rules.max_size = 1000;
  rules.delimiters = "+";
  return rules;
}
EnvelopeRules everything() {
  EnvelopeRules rules = usual();
  rules.dsn = rules.utf8 = rules.trusted = true;
  return rules;
}

// "250", or the refusal.
string show(const Refusal& refusal) {
  return refusal ? std::to_string(refusal.code) + " " + string(refusal.enhanced) + " " + refusal.text : "250";
}
string mail(string_view parameters, const EnvelopeRules& rules = usual()) {
  Envelope envelope;
  return show(parse_mail(parameters, rules, envelope));
}
string rcpt(string_view parameters, const EnvelopeRules& rules = usual(), const Envelope& envelope = {}) {
  Recipient recipient;
  return show(parse_rcpt(parameters, rules, envelope, recipient));
}
Recipient recipient_of(string_view parameters, const EnvelopeRules& rules = usual()) {
  Recipient recipient;
  EXPECT_EQ(show(parse_rcpt(parameters, rules, {}, recipient)), "250") << parameters;
  return recipient;
}

// "text|local|domain|rest", or the error.
string path(string_view text, PathRules rules = {}) {
  const ParsedPath p = parse_path(text, rules);
  if (!p.error.empty()) return "error: " + string(p.error);
  return p.path.text + "|" + p.path.local + "|" + p.path.domain + "|" + string(p.rest);
}

// --- paths ---------------------------------------------------------------------------------

TEST(SmtpPath, IsTakenApart) {
  EXPECT_EQ(path("<a@b.c>"), "a@b.c|a|b.c|");
  EXPECT_EQ(path("<a@b.c> SIZE=1"), "a@b.c|a|b.c| SIZE=1");
  EXPECT_EQ(path("<>"), "|||");
  EXPECT_EQ(path("<> BODY=7BIT"), "||| BODY=7BIT");
  EXPECT_EQ(path("<joe>"), "joe|joe||");
  EXPECT_EQ(path("<a+b=c/d@e>"), "a+b=c/d@e|a+b=c/d|e|");
  EXPECT_EQ(path("<a..b.@c>"), "a..b.@c|a..b.|c|") << "no standard allows it, mailboxes have it";
  EXPECT_EQ(path("<a@[192.0.2.1]>"), "a@[192.0.2.1]|a|[192.0.2.1]|");
  EXPECT_EQ(path("<a@[IPv6:2001:db8::1]>"), "a@[IPv6:2001:db8::1]|a|[IPv6:2001:db8::1]|");
}

TEST(SmtpPath, QuotedLocalParts) {
  EXPECT_EQ(path("<\"a b\"@c>"), "\"a b\"@c|a b|c|");
  EXPECT_EQ(path("<\"a\\\"b\\\\\"@c>"), "\"a\\\"b\\\\\"@c|a\"b\\|c|");
  EXPECT_EQ(path("<\"a>b\"@c>"), "\"a>b\"@c|a>b|c|");
  EXPECT_EQ(path("<\"\"@c>"), "\"\"@c||c|");
  EXPECT_EQ(path("<\"\">"), "\"\"|||");
  EXPECT_EQ(path("<\"a\"b@c>"), "error: Missing '>' behind path");
  EXPECT_EQ(path("<\"a@c>"), "error: Invalid address");
  EXPECT_EQ(path("<\"a\\"), "error: Invalid address");
  EXPECT_EQ(path("<\"a\tb\"@c>"), "error: Invalid address");
  EXPECT_EQ(path("<\"a\\\x01\"@c>"), "error: Invalid address");
}

TEST(SmtpPath, SourceRoutesAreLeftOut) {  // RFC 5321 appendix C
  EXPECT_EQ(path("<@one,@two:a@b>"), "a@b|a|b|");
  EXPECT_EQ(path("<@one:joe>"), "joe|joe||");
  EXPECT_EQ(path("<@one>"), "error: Invalid source route");
  EXPECT_EQ(path("<@o ne:a@b>"), "error: Invalid source route");
  EXPECT_EQ(path("<@one:>"), "error: Invalid address");
  EXPECT_EQ(path("<@b>"), "error: Invalid source route");
}

TEST(SmtpPath, WhatIsNone) {
  for (const string_view text :
       {"",        "a@b",     "<",      "<a",        "<a@b",      "<a@>",    "<@",      "<a@b@c>",
        "<a b@c>", "<a@b c>", "<a@b>x", "<a@[b>",    "<a@[b c]>", "<a@[]>",  "<a,b@c>", "<<a@b>>",
        "<a@b>>",  " <a@b>",  "<a@b!>", "<a\x7f@b>", "<(a)@b>",   "<a:b@c>", "<\x80@b>"})
    EXPECT_TRUE(path(text).starts_with("error: ")) << text << ": " << path(text);
  EXPECT_EQ(path("a@b"), "error: Missing '<' before path");
  EXPECT_EQ(path("<a@b>SIZE=1"), "error: Unexpected character behind path");
}

TEST(SmtpPath, MayBeAsLongAsAHeaderLineAllows) {
  const string local(890, 'a');
  EXPECT_EQ(path("<" + local + "@" + string(9, 'b') + ">"), local + "@bbbbbbbbb|" + local + "|bbbbbbbbb|");
  EXPECT_EQ(path("<" + local + "@" + string(10, 'b') + ">"), "error: Too long address");
}

TEST(SmtpPath, WithoutBracketsWhereThatIsAllowed) {  // LMTP-9
  EXPECT_EQ(path("a@b SIZE=1", {.bare = true}), "a@b|a|b| SIZE=1");
  EXPECT_EQ(path("<a@b>", {.bare = true}), "a@b|a|b|");
  EXPECT_EQ(path("", {.bare = true}), "error: Invalid address");
  EXPECT_EQ(path("a@b>", {.bare = true}), "error: Unexpected character behind path");
}

TEST(SmtpPath, ADomainWhereItIsNeeded) {
  EXPECT_EQ(path("<joe>", {.needs_domain = true}), "error: Invalid address");
  EXPECT_EQ(path("<joe@a>", {.needs_domain = true}), "joe@a|joe|a|");
}

TEST(SmtpPath, Utf8) {
  EXPECT_EQ(path("<j\xc3\xb6rg@b>"), "error: Invalid character in address");
  EXPECT_EQ(path("<j\xc3\xb6rg@b\xc3\xbc.de>", {.utf8 = true}), "j\xc3\xb6rg@b\xc3\xbc.de|j\xc3\xb6rg|b\xc3\xbc.de|");
  EXPECT_EQ(path("<j\xc3@b>", {.utf8 = true}), "error: Invalid character in address");
  EXPECT_FALSE(parse_path("<j\xc3\xb6rg@b>", {.utf8 = true}).path.is_ascii);
  EXPECT_TRUE(parse_path("<joe@b>", {.utf8 = true}).path.is_ascii);
}

TEST(SmtpPath, IsMailbox) {
  for (const string_view text : {"a", "a@b", "\"a b\"@c", "a@[192.0.2.1]"}) EXPECT_TRUE(is_mailbox(text)) << text;
  for (const string_view text : {"", "@", "a@", "@b", "a b", "a@b c", "<a@b>", "a\n@b", "a@b\r", "\"a", "\"a\n\"@b"})
    EXPECT_FALSE(is_mailbox(text)) << text;
  EXPECT_FALSE(is_mailbox(string_view("a\0b", 3)));
}

// --- MAIL ------------------------------------------------------------------------------------

TEST(SmtpMail, TakesWhatIsSaid) {
  Envelope e;
  EXPECT_EQ(show(parse_mail("FROM:<a@b> BODY=8BitMime SIZE=1000", usual(), e)), "250");
  EXPECT_EQ(e.sender, "a@b");
  EXPECT_EQ(e.body, "8BITMIME");
  EXPECT_EQ(e.size, 1000u);
  EXPECT_FALSE(e.utf8);
  Envelope d;
  EXPECT_EQ(show(parse_mail("from:<@r:j\xc3\xb6@b> smtputf8 ret=hdrs ENVID=x+2By body=7bit", everything(), d)), "250");
  EXPECT_EQ(d.sender, "j\xc3\xb6@b");
  EXPECT_EQ(d.body, "7BIT");
  EXPECT_TRUE(d.utf8);
  EXPECT_EQ(d.ret, "HDRS");
  EXPECT_EQ(d.envid, "x+2By");
  EXPECT_FALSE(d.size);
}

TEST(SmtpMail, RefusesTheRest) {  // LMTP-9, LMTP-10
  constexpr const char* kInvalid = "501 5.5.4 Invalid parameters";
  constexpr const char* kUnsupported = "555 5.5.4 Unsupported parameters";
  struct {
    string_view said, reply;
  } const rows[] = {
      {"FROM:<>", "250"},
      {"FROM:<joe>", "250"},
      {"", kInvalid},
      {"TO:<a@b>", kInvalid},
      {"FROM <a@b>", kInvalid},
      {"FROM: <a@b>", "501 5.5.4 Invalid FROM: Missing '<' before path"},
      {"FROM:a@b", "501 5.5.4 Invalid FROM: Missing '<' before path"},
      {"FROM:", "501 5.5.4 Invalid FROM: Missing '<' before path"},
      {"FROM:<a@b", "501 5.5.4 Invalid FROM: Missing '>' behind path"},
      {"FROM:<a@@b>", "501 5.5.4 Invalid FROM: Invalid address"},
      {"FROM:<a@b> SIZE=1001", "552 5.2.3 Message size exceeds administrative limit"},
      {"FROM:<a@b> SIZE=99999999999999999999", "501 5.5.4 Invalid SIZE= parameter value"},
      {"FROM:<a@b> SIZE=x", "501 5.5.4 Invalid SIZE= parameter value"},
      {"FROM:<a@b> SIZE=-1", "501 5.5.4 Invalid SIZE= parameter value"},
      {"FROM:<a@b> SIZE=", kInvalid},
      {"FROM:<a@b> SIZE", "501 5.5.4 Invalid SIZE= parameter value"},
      {"FROM:<a@b> BODY=BINARYMIME", kUnsupported},
      {"FROM:<a@b> BODY=a=b", kInvalid},
      {"FROM:<a@b> RET=FULL", kUnsupported},
      {"FROM:<a@b> ENVID=x", kUnsupported},
      {"FROM:<a@b> SMTPUTF8", kUnsupported},
      {"FROM:<a@b> AUTH=<>", kUnsupported},
      {"FROM:<a@b> FOO", kUnsupported},
      {"FROM:<a@b> FOO=bar", kUnsupported},
      {"FROM:<a@b> =", kInvalid},
      {"FROM:<a@b> =x", kUnsupported},
  };
  for (const auto& row : rows) EXPECT_EQ(mail(row.said), row.reply) << row.said;
  EnvelopeRules rules = usual();
  rules.max_size = 0;
  EXPECT_EQ(mail("FROM:<a@b> SIZE=1", rules), kUnsupported) << "not offered";
  rules.eight_bit = false;
  EXPECT_EQ(mail("FROM:<a@b> BODY=7BIT", rules), kUnsupported) << "not offered";
}

TEST(SmtpMail, DsnAndUtf8HaveTheirSyntax) {
  EXPECT_EQ(mail("FROM:<a@b> RET=ALL", everything()), "501 5.5.4 Invalid RET= parameter value");
  EXPECT_EQ(mail("FROM:<a@b> ENVID=a+2", everything()), "501 5.5.4 Invalid ENVID= parameter value");
  EXPECT_EQ(mail("FROM:<a@b> ENVID=" + string(100, 'x'), everything()), "250");
  EXPECT_EQ(mail("FROM:<a@b> ENVID=" + string(101, 'x'), everything()), "501 5.5.4 Invalid ENVID= parameter value");
  EXPECT_EQ(mail("FROM:<a@b> SMTPUTF8=x", everything()), "501 5.5.4 Invalid SMTPUTF8= parameter value");
  EXPECT_EQ(mail("FROM:<\xc3\xb6@b>", everything()), "553 5.6.7 This address needs SMTPUTF8");
}

TEST(SmtpMail, Workarounds) {  // LMTP-9
  EnvelopeRules rules = usual();
  rules.blank_before_path = true;
  EXPECT_EQ(mail("FROM:  <a@b> SIZE=1", rules), "250");
  EXPECT_EQ(mail("FROM: ", rules), "501 5.5.4 Invalid FROM: Missing '<' before path");
  rules.bare_path = true;
  EXPECT_EQ(mail("FROM: a@b SIZE=1", rules), "250");
  EXPECT_EQ(mail("FROM:", rules), "501 5.5.4 Invalid FROM: Invalid address");
}

// --- RCPT --------------------------------------------------------------------------------------

TEST(SmtpRcpt, UserAndDetail) {  // LMTP-4
  struct {
    string_view said, address, user, detail;
  } const rows[] = {
      {"TO:<a+box@d>", "a+box@d", "a@d", "+box"},
      {"TO:<a@d>", "a@d", "a@d", ""},
      {"TO:<a+x+y@d>", "a+x+y@d", "a@d", "+x+y"},
      {"TO:<a+@d>", "a+@d", "a@d", "+"},
      {"TO:<a+box>", "a+box", "a", "+box"},
      {"TO:<+box@d>", "+box@d", "@d", "+box"},
      {"TO:<\"a b+c d\"@d>", "\"a b+c d\"@d", "a b@d", "+c d"},
      {"to:<@r:a@d>", "a@d", "a@d", ""},
      {"TO:<\"\"@d>", "\"\"@d", "@d", ""},  // CVE-2020-10967: an unknown user
  };
  for (const auto& row : rows) {
    const Recipient r = recipient_of(row.said);
    EXPECT_EQ(r.address, row.address) << row.said;
    EXPECT_EQ(r.user, row.user) << row.said;
    EXPECT_EQ(r.detail, row.detail) << row.said;
  }
  EnvelopeRules rules = usual();
  rules.delimiters = "-+";
  EXPECT_EQ(recipient_of("TO:<a-b+c@d>", rules).detail, "-b+c");
  rules.delimiters = {};
  EXPECT_EQ(recipient_of("TO:<a-b+c@d>", rules).user, "a-b+c@d");
}

TEST(SmtpRcpt, Refuses) {  // LMTP-11
  struct {
    string_view said, reply;
  } const rows[] = {
      {"TO:<a@b>", "250"},
      {"TO:<>", "501 5.5.4 Invalid TO: Empty path"},
      {"TO:<\"\">", "550 5.1.1 <\"\"> Unacceptable TO: Empty path not allowed"},
      {"", "501 5.5.4 Invalid parameters"},
      {"FROM:<a@b>", "501 5.5.4 Invalid parameters"},
      {"TO:a@b", "501 5.5.4 Invalid TO: Missing '<' before path"},
      {"TO:<a@b c>", "501 5.5.4 Invalid TO: Missing '>' behind path"},
      {"TO:<a@b> ORCPT=rfc822;c", "250"},
      {"TO:<a@b> ORCPT=rfc822;", "501 5.5.4 Invalid ORCPT= parameter value"},
      {"TO:<a@b> ORCPT=;c", "501 5.5.4 Invalid ORCPT= parameter value"},
      {"TO:<a@b> ORCPT=c", "501 5.5.4 Invalid ORCPT= parameter value"},
      {"TO:<a@b> ORCPT=rfc822;c=d", "501 5.5.4 Invalid parameters"},
      {"TO:<a@b> NOTIFY=NEVER", "555 5.5.4 Unsupported parameters"},
      {"TO:<a@b> FOO=1", "555 5.5.4 Unsupported parameters"},
      {"TO:<a@b> XRCPTFORWARD=a", "550 5.7.14 Unacceptable XRCPTFORWARD= parameter: You are not from trusted IP"},
  };
  for (const auto& row : rows) EXPECT_EQ(rcpt(row.said), row.reply) << row.said;
}

TEST(SmtpRcpt, Dsn) {
  const Recipient r = recipient_of("TO:<a@b> NOTIFY=success,Delay ORCPT=rfc822;c+2Bd@e", everything());
  EXPECT_EQ(r.notify, "SUCCESS,DELAY");
  EXPECT_EQ(r.orcpt, "rfc822;c+2Bd@e");
  EXPECT_EQ(recipient_of("TO:<a@b> NOTIFY=never", everything()).notify, "NEVER");
  for (const string_view bad : {"NEVER,DELAY", "SUCCESS,", ",", "x", "SUCCESS,,DELAY"})
    EXPECT_EQ(rcpt("TO:<a@b> NOTIFY=" + string(bad), everything()), "501 5.5.4 Invalid NOTIFY= parameter value") << bad;
}

TEST(SmtpRcpt, Utf8OnlyWithAnEnvelopeThatSaysSo) {
  Envelope envelope;
  EXPECT_EQ(rcpt("TO:<\xc3\xb6@b>", everything(), envelope), "553 5.6.7 This address needs SMTPUTF8");
  envelope.utf8 = true;
  EXPECT_EQ(rcpt("TO:<\xc3\xb6@b>", everything(), envelope), "250");
  EXPECT_EQ(rcpt("TO:<\xc3\xb6@b>", usual(), envelope), "501 5.5.4 Invalid TO: Invalid character in address");
}

// --- XRCPTFORWARD (LMTP-12, GEN-22) ---------------------------------------------------------------

const ForwardFields kFields{{"foo", "a b"}, {"x", "t\tab"}, {"plain", ""}};

TEST(SmtpForward, GoesBothWays) {
  const string value = forward_value(kFields);
  EXPECT_EQ(value.find_first_of(" =\t\r\n"), string::npos) << value;
  EXPECT_EQ(parse_forward_value(value), kFields);
  EXPECT_EQ(recipient_of("TO:<a@b> XRCPTFORWARD=" + value, everything()).forward, kFields);
}

TEST(SmtpForward, InBase64Besides) {
  const string list = *xtext_decode(forward_value(kFields));
  const string value = xtext_encode(base64_encode(list));
  EXPECT_EQ(parse_forward_value(value), kFields);
  EXPECT_EQ(recipient_of("TO:<a@b> XRCPTFORWARD=" + value, everything()).forward, kFields);
  EXPECT_EQ(rcpt("TO:<a@b> XRCPTFORWARD=" + base64_encode(list), everything()),
            "501 5.5.4 Invalid XRCPTFORWARD= parameter: Invalid encoding")
      << "= is no xtext";
}

TEST(SmtpForward, WhatIsNone) {
  for (const string_view bad : {"+", "+0", "a b", "+3Dx"}) EXPECT_FALSE(parse_forward_value(bad)) << bad;
  EXPECT_EQ(rcpt("TO:<a@b> XRCPTFORWARD=+", everything()),
            "501 5.5.4 Invalid XRCPTFORWARD= parameter: Invalid encoding");
  const string nul = xtext_encode(string("a=b\0c", 5));
  EXPECT_EQ(rcpt("TO:<a@b> XRCPTFORWARD=" + nul, everything()),
            "501 5.5.4 Invalid XRCPTFORWARD= parameter: Invalid encoding");
}

// --- address_for (LMTP-4) ---------------------------------------------------------------------------

std::optional<string> named(string_view user, string_view detail) {
  Recipient recipient;
  recipient.detail = detail;
  return address_for(user, recipient);
}

TEST(AddressFor, PutsTheDetailBehindTheNewName) {
  EXPECT_EQ(named("new@d", "+box"), "new+box@d");
  EXPECT_EQ(named("new@d", ""), "new@d");
  EXPECT_EQ(named("new", "+box"), "new+box");
  EXPECT_EQ(named("new@d", "+c d"), "\"new+c d\"@d");
  EXPECT_EQ(named("a b@d", ""), "\"a b\"@d");
  EXPECT_EQ(named("a\"b\\c@d", ""), "\"a\\\"b\\\\c\"@d");
  EXPECT_EQ(named("a@b@c", ""), "\"a@b\"@c") << "the last one is the domain's";
}

TEST(AddressFor, NothingThatIsNoAddress) {
  EXPECT_FALSE(named("@d", ""));
  for (const string_view user : {"a@", "a@b c", "a\nb@c", "a@b\r", "a\x7f@b", "a@b>x", "a\tb@c"})
    EXPECT_FALSE(named(user, "")) << user;
  EXPECT_FALSE(named(string_view("a\0b@c", 5), ""));
}

TEST(AddressFor, WhatItMakesIsReadAsWhatItWas) {
  for (const string_view user : {"a@b", "a b@c", "a\"b@c", "\\@c", "a@b@c", "joe"}) {
    Recipient recipient;
    recipient.detail = "+x";
    const auto address = address_for(user, recipient);
    ASSERT_TRUE(address) << user;
    const Recipient again = recipient_of("TO:<" + *address + ">");
    EXPECT_EQ(again.user, user);
    EXPECT_EQ(again.detail, "+x");
  }
}

}  // namespace
}  // namespace postern::smtp
