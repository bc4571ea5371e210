// What operators and user databases write for auth: templates, SQL texts, LDAP attributes, passwd-file lines, stored
// passwords; and names, filters and field values.
#include <memory>
#include <string>

#include "auth/chain.h"
#include "auth/checks.h"
#include "auth/db_ldap_attributes.h"
#include "auth/db_ldap_text.h"
#include "auth/db_pam_plan.h"
#include "auth/db_passwd_file.h"
#include "auth/db_sql_plan.h"
#include "auth/fake_variables.h"
#include "auth/fields.h"
#include "base/text.h"
#include "crypt/schemes.h"
#include "fuzz/expect.h"
#include "sasl/proof_mechanisms.h"
#include "sasl/scram_client.h"
#include "sasl/server_mechanisms.h"

using namespace postern;
using fuzz::expect;

namespace {

void templates(std::string_view text) {
  const auto compiled = Template::compile(text);
  if (!compiled) return expect(!compiled.error().empty(), "an error says why");
  const std::string out = compiled->expand(FakeVariables());
  expect(out.size() <= Template::kMaxExpansion, "an expansion is bounded");
  std::string parts;
  for (const Template::Part& part : compiled->parts())
    parts += part.literal + Template::expand_part(part, FakeVariables());
  expect(parts == out || parts.size() > Template::kMaxExpansion, "parts make the whole");
  bool used = false;
  compiled->for_each_use([&](Variable v, const std::string&) { used |= v < Variable::kCount; });
  expect(!used || !compiled->is_constant(), "a constant uses nothing");
  if (text.find('%') == std::string_view::npos) expect(out == text, "text without variables stays");
  expect(!compiled->is_constant() || compiled->expand(FakeVariables("x")) == out,
         "a constant does not depend on values");
}

// Whatever stands in the values, the text stays the same: it is bound.
void sql(std::string_view text) {
  for (const char* name : {"sqlite", "mysql", "pgsql"}) {
    const SqlDialect& dialect = *find_sql_dialect(name);
    const auto connect = SqlConnect::parse(dialect, text);
    expect(!connect || !connect->targets(dialect)->empty(), "there is a host");
    if (connect) SqlConnect(*connect).add_options(text);
    const auto bound = bind_sql(text, dialect);
    if (!bound) continue;
    for (const SqlParameter& p : bound->parameters) {
      expect(bound->text.find(":" + p.name) != std::string::npos, "each parameter stands in the text");
      expect(!p.value.is_constant(), "a parameter has a variable");
      p.value.expand(FakeVariables("'"));
    }
  }
}

void passwd(std::string_view text) {
  const auto line = parse_passwd_line(text.substr(0, text.find('\n')));
  if (!line) return;
  expect(!line->user.empty(), "a user has a name");
  expect(!line->password || !line->password->empty(), "an empty password is none");
}

// The text as a value never gets out of its place; as a template and as a list of attributes it is understood or
// refused.
void ldap(std::string_view text) {
  const std::string escaped = escape_ldap(text);
  expect(escaped.find_first_of(std::string_view("()*=,+\"<>;# \0", 12)) == std::string::npos,
         "a value has none of the syntax");
  LdapEntry entry;
  entry.values["mail"] = {std::string(text), "x"};
  if (const auto pattern = LdapTemplate::compile(text)) pattern->expand(FakeVariables(std::string(text)));
  const auto attributes = LdapAttributes::parse(text);
  if (!attributes) return expect(!attributes.error().empty(), "an error says why");
  RowBuilder row;
  std::vector<std::string> several;
  attributes->fill(entry, FakeVariables(std::string(text)), row, several);
}

void pam(std::string_view text) {
  DatabaseSettings settings;
  settings.args = text;
  const auto plan = PamPlan::from(settings);
  expect(!plan || !plan->service.parts().empty(), "there is a service");
}

// Slow schemes would make slow tests.
void schemes(std::string_view text) {
  if (is_slow(text, "PLAIN")) return;
  const Verification v = verify_password(text, "secret", "PLAIN");
  expect(v.result != VerifyResult::Match || text.find("secret") != std::string_view::npos ||
             text.find('}') != std::string_view::npos,
         "only the password matches itself");
}

// Messages of one exchange, separated by '|'. Nobody proves the password of a user who does not exist, or one that
// nobody knows.
void exchange(const MechanismInfo& info, std::string_view rest, const SaslSecret* secret) {
  SaslContext context;
  context.tls_unique = context.tls_exporter = "what no input has: \xf0\x9f\x97\x9d";
  context.certificate_valid = true;
  context.certificate_name = context.anonymous = "joe";
  const auto mechanism = make_server_mechanism(info, context);
  for (int turn = 0; turn < 4; ++turn) {
    const size_t cut = std::min(rest.find('|'), rest.size());
    SaslStep step = mechanism->step(SecretString(rest.substr(0, cut)));
    rest.remove_prefix(std::min(cut + 1, rest.size()));
    if (const auto* claim = std::get_if<SaslClaim>(&step)) {
      expect(info.proof && claim->authcid.find('\0') == std::string::npos, "a claim names a user");
      step = mechanism->supply(secret);
    }
    expect(!std::holds_alternative<SaslProven>(step), "a proof without the password");
    if (const auto* v = std::get_if<SaslVouched>(&step))
      expect(!info.proof && v->authcid == "joe", "nobody else is vouched for");
    if (const auto* p = std::get_if<SaslPassword>(&step); p != nullptr && info.token)
      expect(!p->authcid.empty() && !p->password.empty() &&
                 p->password.reveal().find_first_of("\1\r\n ") == std::string_view::npos,
             "a token is one word of somebody");
    if (!std::holds_alternative<SaslChallenge>(step)) break;
  }
}

void mechanisms(std::string_view text) {
  const SaslSecret password{false, SecretString("what no input has: \xf0\x9f\x97\x9d")},
      verifier{true, SecretString(text)};
  for (const MechanismInfo& info : all_mechanisms()) {
    // Its messages are Kerberos' to read, not ours, and without a keytab its library loses a name with each of them.
    if (info.name == "GSSAPI") continue;
    for (const SaslSecret* secret : {static_cast<const SaslSecret*>(nullptr), &password, &verifier})
      if (secret == nullptr || info.proof) exchange(info, text, secret);
  }
}

// What a backend says to our SCRAM, and what a client answers to DIGEST-MD5.
void peers_of_mechanisms(std::string_view text) {
  ScramClient scram(ScramHash::Sha1);
  scram.first("", "joe", "abc");
  const bool first = text.find("i=4096") != std::string_view::npos ||
                     text.find("i=4097") != std::string_view::npos;  // more takes time
  const auto proof = first ? scram.prove(text, "secret") : std::nullopt;
  expect(!proof || text.starts_with("r=abc"), "the nonce is ours");
  expect(!scram.confirms(text), "nobody guesses the server's signature");
  const auto names = read_digest_md5_names(text);
  expect(!names || text.find('=') != std::string_view::npos, "a name is named");
}

void rules(std::string_view text) {
  const std::string copy(text);
  matches_wildcard(text, text.substr(text.size() / 2));
  passes_username_filter("joe@example.org", std::vector<std::string>{copy});
  std::vector<std::string> invalid;
  is_in_networks(text, *IpAddress::parse("192.0.2.1"), invalid);
  const auto until = parse_delay_until(text, 1000, 300, [](uint64_t n) { return n - 1; });
  expect(!until || *until <= 1300, "nobody waits longer than the limit");
  FieldSet fields;
  fields.apply(text, "x");
  expect(fields.list().size() <= 1, "one name, one field");
  const auto names = UsernameRules::compile({"", copy, copy, "", "*"});
  if (names) {
    const auto name = names->normalize(text, FakeVariables());
    expect(!name || !name->empty(), "no empty names");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto part : {templates, sql, ldap, pam, passwd, schemes, mechanisms, peers_of_mechanisms, rules})
    part(text);
  return 0;
}
