// What auth takes from the configuration, compiled once at start: templates, rules, databases.
#ifndef POSTERN_AUTH_SETTINGS_H
#define POSTERN_AUTH_SETTINGS_H

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "auth/cache.h"
#include "auth/chain.h"
#include "auth/db.h"
#include "auth/policy.h"
#include "auth/username.h"
#include "base/address.h"
#include "conf/settings.h"
#include "sasl/mechanisms.h"
#include "sasl/server.h"

namespace postern {

// default_fields or override_fields.
struct FieldTemplate {
  std::string name;  // suffix included
  Template value;
};

// One passdb or userdb block, ready for use.
struct Passdb {
  std::string name;    // for messages about the configuration
  std::string driver;  // for lines about a request
  uint32_t index = 0;  // in Configuration::passdbs or userdbs: what WorkerLookup carries
  bool verbose = false;
  DriverTraits traits;
  std::unique_ptr<Database> local;       // answers at once
  std::unique_ptr<AsyncDatabase> async;  // answers later; neither of them: look-ups run in an auth-worker
  std::vector<FieldTemplate> defaults, overrides;
  // A stored password with a slow hash that was seen lately, to spend the same time on users who do not exist
  // (AUTH-5). Never decides anything.
  SecretString cost_sample;
};

// The blocks of one chain; rules()[i] belongs to at(i).
struct PassdbList {
  std::vector<ChainEntry> rules;
  std::vector<std::unique_ptr<Passdb>> databases;
};

// service.X.executable: what serves a user of that protocol on this host (DECISIONS section 8).
struct MailProgram {
  std::string service, protocol;  // "managesieve", "sieve"
  std::vector<Template> words;    // the program and its arguments
};

struct AuthSettings {
  std::vector<const MechanismInfo*> mechanisms;
  UsernameRules names;
  PolicyRules policy;
  PassdbList users, masters, userdbs;
  std::vector<MailProgram> mail_programs;
  std::string mail_uid, mail_gid;
  std::vector<IpAddress> proxy_self;  // auth_proxy_self, names resolved
  Milliseconds failure_delay{0}, internal_failure_delay{0}, request_timeout{0}, dns_timeout{0}, max_delay_until{0};
  CacheSettings cache;
  uint32_t max_workers = 0;
  std::string verbose_passwords;  // auth_verbose_passwords
  bool verbose = false, debug = false;
  bool penalty = false;
  size_t penalty_max_waiting = 0;
  bool allow_weak_schemes = true;
  SaslContext sasl;  // what is the same for all exchanges
  std::string krb5_keytab;
  bool require_client_cert = false, username_from_cert = false;

  // Blocks for the names in auth_proxy_self: at start only. The Error names block and setting.
  static Result<AuthSettings> compile(const Configuration& configuration);
  // All that compile() would say, not only the first; resolves no name.
  static std::vector<std::string> problems(const Configuration& configuration);
  // What the databases' drivers allow and do not think is meant; for a configuration without problems.
  static std::vector<std::string> warnings(const Configuration& configuration);
  // The mechanism when it is offered; null otherwise.
  const MechanismInfo* mechanism(std::string_view name) const;
  // Null: no local logins for that protocol.
  const MailProgram* mail_program(std::string_view protocol) const;
};

}  // namespace postern

#endif
