// passdb and userdb sql, in an auth-worker: SOCI with its linked backends (AUTH-17, AUTH-18; PROBES section 7).
#ifndef POSTERN_AUTH_DB_SQL_H
#define POSTERN_AUTH_DB_SQL_H

#include <memory>

#include "auth/db.h"

namespace postern {

// One connection per database and process, opened at the first look-up, one kept statement. A failed connection is
// tried again after 1 s, 5 s, 25 s ... at most 15 s (AUTH-18: nothing else is connected); until then look-ups are
// Broken at once. The database is the settings' sql_connect.
Result<std::unique_ptr<Database>> open_sql(const DatabaseSettings& settings, DbKind kind);

}  // namespace postern

#endif
