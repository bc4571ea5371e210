// passdb and userdb static: the same answer for everyone (AUTH-15).
#ifndef POSTERN_AUTH_DB_STATIC_H
#define POSTERN_AUTH_DB_STATIC_H

#include <memory>

#include "auth/db.h"

namespace postern {

// `args` ("password=x nopassword=y proxy=y host=192.0.2.1") or the `fields` group; values are templates.
Result<DriverTraits> describe_static(const DatabaseSettings& settings, DbKind kind);
Result<std::unique_ptr<Database>> open_static(const DatabaseSettings& settings, DbKind kind);

}  // namespace postern

#endif
