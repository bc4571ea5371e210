// All of a passdb or userdb block with driver = "ldap": Dovecot 2.3's file, or its keys with ldap_ before them
// (AUTH-20). Pure; no LDAP library here.
#ifndef POSTERN_AUTH_DB_LDAP_PLAN_H
#define POSTERN_AUTH_DB_LDAP_PLAN_H

#include <optional>
#include <string>
#include <vector>

#include "auth/db_ldap_attributes.h"
#include "auth/db_ldap_text.h"
#include "base/clock.h"

namespace postern {

// How the servers are reached, and as whom.
struct LdapAccess {
  std::vector<std::string> uris;  // in the order they are tried
  std::string dn;                 // empty: anonymous
  SecretString dnpass;
  bool start_tls = false;                                     // on ldap:// and ldapi://
  std::string ca_file, ca_dir, cert_file, key_file, ciphers;  // empty: the library's defaults
  int require_cert = 0;                                       // a row of kRequireCert
  Milliseconds connect_timeout{5'000};
  Milliseconds timeout{10'000};  // of each step: TLS, bind, search
};

struct LdapPlan {
  LdapAccess access;
  LdapTemplate base, filter;
  int scope = 0, deref = 0;  // as in the protocol (RFC 4511 section 4.5.1)
  LdapAttributes attributes;
  bool auth_bind = false;               // the server compares passwords
  std::optional<LdapTemplate> bind_dn;  // auth_bind_userdn: no search before the bind
  std::string default_scheme = "CRYPT";

  // The Error names the key and what is wrong with its value.
  static Result<LdapPlan> from(const DatabaseSettings& settings, DbKind kind);
};

Result<DriverTraits> describe_ldap(const DatabaseSettings& settings, DbKind kind);

// When which server may be tried: in their order, but one that failed is left alone for 1 s, 5 s, 25 s ... at most 60
// s; 15 s when no other is left (AUTH-18, AUTH-20).
class LdapServers {
 public:
  explicit LdapServers(std::vector<std::string> uris);
  // The first that may be tried now and was not in this look-up; null: none.
  const std::string* next(Instant now);
  void begin_lookup();  // all may be tried again
  // Of the one that next() gave last.
  void failed(Instant now);
  void worked();

 private:
  struct Server {
    std::string uri;
    Instant failed_at{};
    std::chrono::seconds rest{0};  // 0: it works, as far as known
    bool tried = false;
  };
  const std::string* pick(Instant now, std::chrono::seconds longest);

  std::vector<Server> servers_;
  size_t last_ = 0;
};

}  // namespace postern

#endif
