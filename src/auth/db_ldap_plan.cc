#include "auth/db_ldap_plan.h"

#include <algorithm>
#include <span>

#include "base/text.h"
#include "conf/values.h"
#include "crypt/schemes.h"

namespace postern {

namespace {

constexpr std::chrono::seconds kFirstRest{1}, kLongestRest{60}, kLongestAlone{15};
constexpr int64_t kLongestTimeout = 60'000;

struct Word {
  std::string_view text;
  int value;
};
constexpr Word kFlags[] = {{"no", 0}, {"yes", 1}};
constexpr Word kScopes[] = {{"base", 0}, {"onelevel", 1}, {"subtree", 2}};
constexpr Word kDerefs[] = {{"never", 0}, {"searching", 1}, {"finding", 2}, {"always", 3}};
constexpr Word kRequireCert[] = {
    {"never", 0}, {"hard", 1}, {"demand", 2}, {"allow", 3}, {"try", 4}};  // numbers of libldap
constexpr Word kVersions[] = {{"3", 3}};

// What other setups must not have, since it would be silently weaker or different here.
constexpr std::string_view kRefused[] = {"sasl_bind", "ldaprc_path"};

struct KindDefaults {
  std::string_view attributes_key, filter_key, attributes, filter;
};
constexpr std::string_view kPosixUser = "(&(objectClass=posixAccount)(uid=%u))";
constexpr KindDefaults kDefaults[] = {
    {"pass_attrs", "pass_filter", "uid=user,userPassword=password", kPosixUser},
    {"user_attrs", "user_filter", "homeDirectory=home,uidNumber=uid,gidNumber=gid", kPosixUser},
};

// Reads keys one by one; the first that is wrong stays.
class LdapKeys {
 public:
  explicit LdapKeys(const DatabaseSettings& settings) : settings_(settings) {}

  const Status& status() const { return status_; }
  void fail(std::string_view key, std::string_view why) {
    if (status_) status_ = Error("ldap_" + std::string(key) + ": " + std::string(why));
  }

  std::string text(std::string_view key, std::string_view fallback = "") const {
    const auto found = settings_.driver_settings.find("ldap_" + std::string(key));
    return found == settings_.driver_settings.end() || found->second.empty() ? std::string(fallback) : found->second;
  }
  // A file; Dovecot's "<" before it is no part of the name.
  std::string path(std::string_view key) const {
    const std::string name = text(key);
    return name.starts_with('<') ? name.substr(1) : name;
  }

  int word(std::string_view key, std::span<const Word> words, std::string_view fallback) {
    const std::string given = text(key, fallback);
    std::string accepted;
    for (const Word& w : words) {
      if (iequals(w.text, given)) return w.value;
      accepted.append(accepted.empty() ? "" : ", ").append(w.text);
    }
    fail(key, given + ": accepted: " + accepted);
    return 0;
  }

  template <class T>
  T compiled(std::string_view key, Result<T> result) {
    if (result) return std::move(*result);
    fail(key, result.error());
    return T();
  }
  LdapTemplate pattern(std::string_view key, std::string_view fallback = "") {
    return compiled(key, LdapTemplate::compile(text(key, fallback)));
  }

  Milliseconds time(std::string_view key, Milliseconds fallback) {
    const std::string given = text(key);
    if (given.empty()) return fallback;
    const auto parsed = parse_time(given);
    if (!parsed || *parsed < 100 || *parsed > kLongestTimeout)
      fail(key, given + ": accepted: a time from 100 ms to 60 secs");
    return status_ ? Milliseconds(*parsed) : fallback;
  }

 private:
  const DatabaseSettings& settings_;
  Status status_;
};

void read_uris(LdapKeys& r, LdapAccess& access) {
  const std::string uris = r.text("uris"), hosts = r.text("hosts");
  for (std::string_view uri : split_words(uris)) {
    constexpr std::string_view kKinds[] = {"ldap://", "ldaps://", "ldapi://"};
    if (std::none_of(std::begin(kKinds), std::end(kKinds),
                     [&](std::string_view kind) { return istarts_with(uri, kind); }))
      r.fail("uris", std::string(uri) + ": accepted: ldap://, ldaps:// and ldapi:// addresses");
    access.uris.emplace_back(uri);
  }
  if (!access.uris.empty()) return;
  for (std::string_view host : split_words(hosts)) access.uris.push_back("ldap://" + std::string(host));
  if (access.uris.empty()) r.fail("uris", "missing");
}

void read_access(LdapKeys& r, LdapAccess& access) {
  read_uris(r, access);
  access.dn = r.text("dn");
  access.dnpass = SecretString(r.text("dnpass"));
  // A server would take a name without a password for nobody (RFC 4513 section 5.1.2).
  if (!access.dn.empty() && access.dnpass.empty()) r.fail("dnpass", "missing beside dn");
  access.start_tls = r.word("tls", kFlags, "no") != 0;
  access.ca_file = r.path("tls_ca_cert_file");
  access.ca_dir = r.path("tls_ca_cert_dir");
  access.cert_file = r.path("tls_cert_file");
  access.key_file = r.path("tls_key_file");
  access.ciphers = r.text("tls_cipher_suite");
  access.require_cert = r.word("tls_require_cert", kRequireCert, "demand");
  access.timeout = r.time("timeout", access.timeout);
  r.word("ldap_version", kVersions, "3");
  for (std::string_view key : kRefused)
    if (const std::string given = r.text(key); !given.empty() && !iequals(given, "no")) r.fail(key, "not supported");
}

// The server compares the password: the entry's own is not asked for.
void read_auth_bind(LdapKeys& r, LdapPlan& plan) {
  plan.auth_bind = r.word("auth_bind", kFlags, "no") != 0;
  if (!plan.auth_bind) return;
  plan.attributes.drop_password();
  if (!r.text("auth_bind_userdn").empty()) plan.bind_dn = r.pattern("auth_bind_userdn");
  if (plan.bind_dn && plan.bind_dn->is_constant())
    r.fail("auth_bind_userdn", "needs a variable, such as %u: it is another for each user");
}

}  // namespace

Result<LdapPlan> LdapPlan::from(const DatabaseSettings& settings, DbKind kind) {
  const KindDefaults& defaults = kDefaults[static_cast<size_t>(kind)];
  LdapKeys r(settings);
  LdapPlan plan;
  read_access(r, plan.access);
  plan.base = r.pattern("base");
  plan.scope = r.word("scope", kScopes, "subtree");
  plan.deref = r.word("deref", kDerefs, "never");
  plan.filter = r.pattern(defaults.filter_key, defaults.filter);
  plan.attributes =
      r.compiled(defaults.attributes_key, LdapAttributes::parse(r.text(defaults.attributes_key, defaults.attributes)));
  if (kind == DbKind::Passdb) read_auth_bind(r, plan);
  plan.default_scheme = r.text("default_pass_scheme", plan.default_scheme);
  if (!is_known_scheme(plan.default_scheme)) r.fail("default_pass_scheme", plan.default_scheme + ": unknown scheme");
  // Used by listings only, but a mistake in it is one now.
  r.pattern("iterate_filter");
  r.compiled("iterate_attrs", LdapAttributes::parse(r.text("iterate_attrs")));
  if (!r.status()) return Error(r.status().error());
  return plan;
}

Result<DriverTraits> describe_ldap(const DatabaseSettings& settings, DbKind kind) {
  const auto plan = LdapPlan::from(settings, kind);
  if (!plan) return Error(plan.error());
  DriverTraits traits;
  traits.default_scheme = plan->default_scheme;
  traits.verifies = plan->auth_bind;
  plan->base.add_uses_to(traits.uses);
  plan->filter.add_uses_to(traits.uses);
  plan->attributes.add_uses_to(traits.uses);
  if (plan->bind_dn) plan->bind_dn->add_uses_to(traits.uses);
  traits.cacheable = true;
  return traits;
}

LdapServers::LdapServers(std::vector<std::string> uris) {
  for (std::string& uri : uris) servers_.push_back({std::move(uri)});
}

void LdapServers::begin_lookup() {
  for (Server& s : servers_) s.tried = false;
}

const std::string* LdapServers::pick(Instant now, std::chrono::seconds longest) {
  for (size_t i = 0; i < servers_.size(); ++i) {
    Server& s = servers_[i];
    if (s.tried || (s.rest.count() > 0 && now < s.failed_at + std::min(s.rest, longest))) continue;
    s.tried = true;
    last_ = i;
    return &s.uri;
  }
  return nullptr;
}

const std::string* LdapServers::next(Instant now) {
  const std::string* rested = pick(now, kLongestRest);
  return rested != nullptr ? rested : pick(now, kLongestAlone);
}

void LdapServers::failed(Instant now) {
  Server& s = servers_[last_];
  s.failed_at = now;
  s.rest = std::clamp(s.rest * 5, kFirstRest, kLongestRest);
}

void LdapServers::worked() { servers_[last_].rest = std::chrono::seconds(0); }

}  // namespace postern
