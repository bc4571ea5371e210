// One connection to a SQL database by SOCI, with one kept statement (PROBES section 7).
#ifndef POSTERN_AUTH_DB_SQL_SESSION_H
#define POSTERN_AUTH_DB_SQL_SESSION_H

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "auth/db_sql_errors.h"
#include "auth/db_sql_plan.h"

namespace postern {

// What became of a look-up.
struct SqlAnswer {
  DbRow row;
  SqlFault fault = SqlFault::Query;  // of a row that is Broken; Host: the connection is of no more use
};

class SqlSession {
 public:
  virtual ~SqlSession() = default;
  // `values` in the order of the plan's parameters. Blocks up to the plan's answer_limit. Never throws.
  virtual SqlAnswer lookup(const std::vector<std::string>& values) = 0;
  // The plan's iterate_query; column `user`, or `username` and `domain`. Blocks a minute at most.
  virtual Status iterate(const std::function<void(std::string_view user)>& each) = 0;
  // Whether somebody has put another file in the place of this database.
  virtual bool replaced() const = 0;
};

// Blocks up to the connect_timeout. `plan` must outlive the session. The Error has no values of the connect string.
Result<std::unique_ptr<SqlSession>> open_sql_session(const SqlPlan& plan, DbKind kind, const SqlHost& host);

// Whether this program has the dialect's library.
bool is_sql_built(const SqlDialect& dialect);

}  // namespace postern

#endif
