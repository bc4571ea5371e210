#include "auth/settings.h"

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "net/names.h"
#include "sasl/server_mechanisms.h"

namespace postern {

namespace {

void add_address(const std::string& name, std::vector<IpAddress>& out) {
  std::string why;
  const auto found = resolve_now(name, why);
  if (found.empty()) return log_error("auth_proxy_self: " + printable(name) + ": " + why);
  out.insert(out.end(), found.begin(), found.end());
}

Result<std::vector<FieldTemplate>> compile_fields(const FieldList& fields, std::string_view setting) {
  std::vector<FieldTemplate> out;
  for (const auto& [name, value] : fields) {
    auto compiled = Template::compile(value);
    if (!compiled) return Error(std::string(setting) + ": " + name + ": " + compiled.error());
    out.push_back({name, std::move(*compiled)});
  }
  return out;
}

Result<std::unique_ptr<Passdb>> make_database(const DatabaseSettings& s, DbKind kind, uint32_t index,
                                              const Settings& globals) {
  const Driver* driver = find_driver(s.driver, kind);
  if (driver == nullptr) return Error("driver = " + s.driver + ": not available");
  auto db = std::make_unique<Passdb>();
  db->name = s.name;
  db->driver = s.driver;
  db->index = index;
  db->verbose = s.auth_verbose == "default" ? globals.flag(Key::auth_verbose) || globals.flag(Key::auth_debug)
                                            : s.auth_verbose == "yes";
  auto traits = driver->describe(s, kind);
  if (!traits) return Error(traits.error());
  db->traits = std::move(*traits);
  if (driver->open != nullptr) {
    auto local = driver->open(s, kind);
    if (!local) return Error(local.error());
    db->local = std::move(*local);
  }
  auto defaults = compile_fields(s.default_fields, "default_fields");
  if (!defaults) return Error(defaults.error());
  auto overrides = compile_fields(s.override_fields, "override_fields");
  if (!overrides) return Error(overrides.error());
  db->defaults = std::move(*defaults);
  db->overrides = std::move(*overrides);
  return db;
}

Status add_database(const DatabaseSettings& s, DbKind kind, uint32_t index, const Settings& globals, PassdbList& list) {
  auto rules = ChainEntry::from(s);
  if (!rules) return Error(rules.error());
  auto db = make_database(s, kind, index, globals);
  if (!db) return Error(db.error());
  list.rules.push_back(std::move(*rules));
  list.databases.push_back(std::move(*db));
  return {};
}

void add_databases(const std::vector<DatabaseSettings>& blocks, DbKind kind, const Settings& globals, AuthSettings& out,
                   std::vector<std::string>& errors) {
  for (uint32_t i = 0; i < blocks.size(); ++i) {
    PassdbList& list = kind == DbKind::Userdb ? out.userdbs : blocks[i].master ? out.masters : out.users;
    const Status added = add_database(blocks[i], kind, i, globals, list);
    if (!added) errors.push_back(blocks[i].where + ": " + blocks[i].name + ": " + added.error());
  }
}

Status add_mail_program(const ServiceSettings& s, std::vector<MailProgram>& out) {
  MailProgram program{s.name, s.protocol, {}};
  for (std::string_view word : split_words(s.executable)) {
    auto compiled = Template::compile(word);
    if (!compiled) return Error("service." + s.name + ".executable: " + compiled.error());
    program.words.push_back(std::move(*compiled));
  }
  if (!program.words.empty()) out.push_back(std::move(program));
  return {};
}

// A key with one of these is found again by nobody.
constexpr Variable kUnique[] = {Variable::Session, Variable::RemotePort, Variable::RealRemotePort, Variable::Pid};

void warn_of_unique_keys(const AuthSettings& settings) {
  for (const PassdbList* list : {&settings.masters, &settings.users, &settings.userdbs})
    for (const auto& db : list->databases)
      for (const VariableUse& use : db->traits.uses)
        if (db->traits.cacheable &&
            std::find(std::begin(kUnique), std::end(kUnique), use.variable) != std::end(kUnique))
          log_warning(db->name + ": %{" + std::string(name_of(use.variable)) +
                      "} in a look-up: its answers are kept by auth_cache_size, and never found again");
}

// What can be wrong.
std::vector<std::string> fill(const Configuration& c, AuthSettings& out) {
  const Settings& s = c.settings;
  std::vector<std::string> errors;
  auto names = UsernameRules::compile({s.text(Key::auth_username_chars), s.text(Key::auth_username_translation),
                                       s.text(Key::auth_username_format), s.text(Key::auth_default_realm),
                                       s.text(Key::auth_master_user_separator)});
  if (names) out.names = std::move(*names);
  else errors.push_back(names.error());
  auto policy = PolicyRules::compile(s);
  if (policy) out.policy = std::move(*policy);
  else errors.push_back(policy.error());
  add_databases(c.passdbs, DbKind::Passdb, s, out, errors);
  add_databases(c.userdbs, DbKind::Userdb, s, out, errors);
  for (const MechanismInfo* m : select_mechanisms(s.list(Key::auth_mechanisms)))
    if (!is_available(*m))
      errors.push_back("auth_mechanisms: " + to_lower(m->name) + ": GNU SASL was built without it");
  for (const ServiceSettings& service : c.services)
    if (const Status added = add_mail_program(service, out.mail_programs); !added) errors.push_back(added.error());
  return errors;
}

void fill_sasl(const Settings& s, AuthSettings& out) {
  out.sasl.hostname =
      s.text(Key::auth_gssapi_hostname).empty() ? s.text(Key::hostname) : s.text(Key::auth_gssapi_hostname);
  if (out.sasl.hostname.empty()) out.sasl.hostname = machine_name();
  out.sasl.realms = s.list(Key::auth_realms);
  out.sasl.default_realm = s.text(Key::auth_default_realm);
  out.sasl.anonymous = s.text(Key::auth_anonymous_username);
  out.krb5_keytab = s.text(Key::auth_krb5_keytab);
  out.require_client_cert = s.flag(Key::auth_ssl_require_client_cert);
  out.username_from_cert = s.flag(Key::auth_ssl_username_from_cert);
}

}  // namespace

std::vector<std::string> AuthSettings::problems(const Configuration& configuration) {
  AuthSettings unused;
  return fill(configuration, unused);
}

std::vector<std::string> AuthSettings::warnings(const Configuration& configuration) {
  std::vector<std::string> out;
  AuthSettings compiled;
  if (!fill(configuration, compiled).empty()) return out;
  for (const PassdbList* list : {&compiled.users, &compiled.masters, &compiled.userdbs})
    for (const auto& db : list->databases)
      for (const std::string& warning : db->traits.warnings) out.push_back(db->name + ": " + warning);
  return out;
}

Result<AuthSettings> AuthSettings::compile(const Configuration& c) {
  const Settings& s = c.settings;
  AuthSettings out;
  if (const auto errors = fill(c, out); !errors.empty()) return Error(errors[0]);
  out.mechanisms = select_mechanisms(s.list(Key::auth_mechanisms));
  out.mail_uid = s.text(Key::mail_uid);
  out.mail_gid = s.text(Key::mail_gid);
  for (const std::string& name : s.list(Key::auth_proxy_self)) add_address(name, out.proxy_self);
  out.failure_delay = s.time(Key::auth_failure_delay);
  out.internal_failure_delay = s.time(Key::auth_internal_failure_delay);
  out.request_timeout = s.time(Key::auth_request_timeout);
  out.dns_timeout = s.time(Key::dns_timeout);
  out.max_delay_until = s.time(Key::auth_max_delay_until);
  out.cache = {static_cast<size_t>(s.number(Key::auth_cache_size)), s.time(Key::auth_cache_ttl),
               s.time(Key::auth_cache_negative_ttl), s.flag(Key::auth_cache_verify_password_with_worker)};
  if (out.cache.size > 0) warn_of_unique_keys(out);
  out.max_workers = static_cast<uint32_t>(s.number(Key::auth_worker_max_count));
  out.verbose_passwords = s.text(Key::auth_verbose_passwords);
  out.penalty = s.flag(Key::auth_penalty);
  out.penalty_max_waiting = static_cast<size_t>(s.number(Key::auth_penalty_max_waiting));
  out.allow_weak_schemes = s.flag(Key::auth_allow_weak_schemes);
  fill_sasl(s, out);
  out.debug = s.flag(Key::auth_debug);
  out.verbose = s.flag(Key::auth_verbose) || out.debug;
  return out;
}

const MechanismInfo* AuthSettings::mechanism(std::string_view name) const {
  const auto found =
      std::find_if(mechanisms.begin(), mechanisms.end(), [&](const MechanismInfo* m) { return m->name == name; });
  return found == mechanisms.end() ? nullptr : *found;
}

const MailProgram* AuthSettings::mail_program(std::string_view protocol) const {
  const auto found = std::find_if(mail_programs.begin(), mail_programs.end(),
                                  [&](const MailProgram& p) { return p.protocol == protocol; });
  return found == mail_programs.end() ? nullptr : &*found;
}

}  // namespace postern
