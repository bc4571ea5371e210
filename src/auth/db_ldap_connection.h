// One connection to an LDAP server: libldap with limits on times and sizes, and results that say what follows.
#ifndef POSTERN_AUTH_DB_LDAP_CONNECTION_H
#define POSTERN_AUTH_DB_LDAP_CONNECTION_H

#include <memory>
#include <string>

#include "auth/db_ldap_plan.h"

namespace postern {

// Lost: the connection is of no more use, another may be.
enum class LdapBind : uint8_t { Right, Wrong, Disabled, Expired, NoSuchEntry, Failed, Lost };
struct LdapBindResult {
  LdapBind what = LdapBind::Lost;
  std::string why{};  // Failed, Lost: for the log
};

enum class LdapFind : uint8_t { One, None, Many, NoSuchBase, Failed, Lost };
struct LdapFindResult {
  LdapFind what = LdapFind::Lost;
  std::string why{};
  LdapEntry entry{};
};

struct LdapSearch {
  std::string base, filter;
  int scope = 0, deref = 0;
  const std::vector<std::string>& attributes;
};

class LdapConnection {
 public:
  // With StartTLS when `access` wants it; else the server is first spoken to by what follows. `access` must outlive it.
  static Result<std::unique_ptr<LdapConnection>> open(const LdapAccess& access, const std::string& uri);
  ~LdapConnection();
  LdapConnection(const LdapConnection&) = delete;
  LdapConnection& operator=(const LdapConnection&) = delete;

  // A simple bind (RFC 4513 section 5.1). Whoever asks has made sure that neither is empty, or wants nobody's rights.
  LdapBindResult bind(const std::string& dn, const SecretString& password);
  // At most one entry is of use: what comes behind the second is not read.
  LdapFindResult find(const LdapSearch& search);

 private:
  struct Handle;
  explicit LdapConnection(std::unique_ptr<Handle> handle);
  std::unique_ptr<Handle> handle_;
};

}  // namespace postern

#endif
