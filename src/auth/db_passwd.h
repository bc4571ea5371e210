// passdb and userdb passwd (and passdb shadow, which is the same), in an auth-worker: the system's users, wherever NSS
// has them.
#ifndef POSTERN_AUTH_DB_PASSWD_H
#define POSTERN_AUTH_DB_PASSWD_H

#include <memory>

#include "auth/db.h"

namespace postern {

// args: [username_format=%u]. A userdb's fields: uid, gid, home, shell, and system_groups_user: whose supplementary
// groups count. A passdb has the user's name as the system writes it, and his password, from shadow(5) where it stands
// there; it may be read by root only. A locked one ("!...", "*") and an empty one are nobody's.
Result<DriverTraits> describe_passwd(const DatabaseSettings& settings, DbKind kind);
// Blocks as long as NSS takes.
Result<std::unique_ptr<Database>> open_passwd(const DatabaseSettings& settings, DbKind kind);

}  // namespace postern

#endif
