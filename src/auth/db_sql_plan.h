// All of a passdb or userdb block with driver = "sql": where the database is, and its queries. Pure.
#ifndef POSTERN_AUTH_DB_SQL_PLAN_H
#define POSTERN_AUTH_DB_SQL_PLAN_H

#include <optional>
#include <string>

#include "auth/db.h"
#include "auth/db_sql_connect.h"
#include "auth/db_sql_text.h"

namespace postern {

struct SqlPlan {
  const SqlDialect* dialect = nullptr;
  SqlConnect connect;
  std::string default_scheme = "CRYPT";
  SqlStatement query;                   // password_query or user_query
  std::string typed_query;              // pgsql: the same with parameters AsText
  std::optional<SqlStatement> iterate;  // iterate_query, which has no variables

  static Result<SqlPlan> from(const DatabaseSettings& settings, DbKind kind);
};

// DriverTraits::warnings has what `postern -t` should mention.
Result<DriverTraits> describe_sql(const DatabaseSettings& settings, DbKind kind);

}  // namespace postern

#endif
