// passdb and userdb sql, in an auth-worker: hosts, look-ups and failover (AUTH-17, AUTH-18).
#ifndef POSTERN_AUTH_DB_SQL_H
#define POSTERN_AUTH_DB_SQL_H

#include <functional>
#include <memory>

#include "auth/db_sql_session.h"

namespace postern {

// Opens one host of the plan; tests have their own.
using SqlOpener =
    std::function<Result<std::unique_ptr<SqlSession>>(const SqlPlan& plan, DbKind kind, const SqlHost& host)>;

// One connection per database and process, opened at the first look-up to one of the equal hosts, by chance. What fails
// by a host's fault is tried on another one, with #hosts new connections at most; a host that failed waits (see
// SqlHosts), and while all wait look-ups are Broken at once. What fails by the query's or the data's fault is Broken at
// once. Messages begin with the block's name and have no bound values. The Error names the setting.
Result<std::unique_ptr<Database>> open_sql(const DatabaseSettings& settings, DbKind kind);
std::unique_ptr<Database> make_sql(SqlPlan plan, DbKind kind, std::string name, std::vector<SqlHost> hosts,
                                   size_t first_host, SqlOpener opener, const Clock& clock);

}  // namespace postern

#endif
