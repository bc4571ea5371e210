// Asks a site's own service for users, as nginx' mail proxy does, in auth's own loop.
#ifndef POSTERN_AUTH_DB_HTTP_H
#define POSTERN_AUTH_DB_HTTP_H

#include "auth/async_databases.h"

namespace postern {

Result<std::unique_ptr<AsyncDatabase>> open_http(const DatabaseSettings& settings, DbKind kind,
                                                 const AsyncWorld& world);

}  // namespace postern

#endif
