// Asks Redis for users, in auth's own loop.
#ifndef POSTERN_AUTH_DB_REDIS_H
#define POSTERN_AUTH_DB_REDIS_H

#include "auth/async_databases.h"

namespace postern {

Result<std::unique_ptr<AsyncDatabase>> open_redis(const DatabaseSettings& settings, DbKind kind,
                                                  const AsyncWorld& world);

}  // namespace postern

#endif
