// passdb and userdb ldap, in an auth-worker (AUTH-19, AUTH-20).
#ifndef POSTERN_AUTH_DB_LDAP_H
#define POSTERN_AUTH_DB_LDAP_H

#include <memory>

#include "auth/db.h"

namespace postern {

// Two connections per database and process, opened when they are needed: one searches as the service, one binds as
// users. A look-up whose connection is lost is made again with a new one, at most three times within 30 s.
Result<std::unique_ptr<Database>> open_ldap(const DatabaseSettings& settings, DbKind kind);

}  // namespace postern

#endif
