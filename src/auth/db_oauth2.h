// passdb oauth2: the password is a bearer token, or gets one (AUTH-24, AUTH-25).
#ifndef POSTERN_AUTH_DB_OAUTH2_H
#define POSTERN_AUTH_DB_OAUTH2_H

#include <memory>

#include "auth/async_databases.h"
#include "auth/db.h"

namespace postern {

// Has its own connections: a server that hangs delays nobody but those who log in with its tokens.
Result<std::unique_ptr<AsyncDatabase>> open_oauth2(const DatabaseSettings& settings, DbKind kind,
                                                   const AsyncWorld& world);

}  // namespace postern

#endif
