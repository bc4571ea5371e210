// userdb passwd, in an auth-worker: the system's users, wherever NSS has them.
#ifndef POSTERN_AUTH_DB_PASSWD_H
#define POSTERN_AUTH_DB_PASSWD_H

#include <memory>

#include "auth/db.h"

namespace postern {

// args: [username_format=%u]. Fields: uid, gid, home, shell, and system_groups_user: whose supplementary groups count.
Result<DriverTraits> describe_passwd(const DatabaseSettings& settings, DbKind kind);
// Blocks as long as NSS takes.
Result<std::unique_ptr<Database>> open_passwd(const DatabaseSettings& settings, DbKind kind);

}  // namespace postern

#endif
