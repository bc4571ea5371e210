// The text of SQL queries: %-variables become bound parameters, never text of the query (AUTH-19, DECISIONS
// section 2). Pure; no database library here.
#ifndef POSTERN_AUTH_DB_SQL_PLAN_H
#define POSTERN_AUTH_DB_SQL_PLAN_H

#include <string>
#include <string_view>
#include <vector>

#include "auth/db.h"

namespace postern {

// What differs between databases in the text itself.
struct SqlDialect {
  std::string_view name;           // sql_driver
  bool backslash_escapes = false;  // inside '...'
};
const SqlDialect* find_sql_dialect(std::string_view name);

struct SqlParameter {
  std::string name;  // "p0"; stands as :p0 in the text
  Template value;
};

struct SqlStatement {
  std::string text;
  std::vector<SqlParameter> parameters;  // each occurs once in the text
};

// A quoted literal with variables becomes one parameter that holds the whole expanded literal; a variable outside
// quotes becomes a parameter too; %% is a percent sign. The Error says line, column and why: an unknown variable, or
// one where no database can bind (a table or column name, a quoted identifier, a comment).
Result<SqlStatement> bind_sql(std::string_view query, const SqlDialect& dialect);

// All of a passdb or userdb block with driver = "sql".
struct SqlPlan {
  const SqlDialect* dialect = nullptr;
  std::string connect;
  std::string default_scheme = "CRYPT";
  SqlStatement query;  // password_query or user_query

  static Result<SqlPlan> from(const DatabaseSettings& settings, DbKind kind);
};

Result<DriverTraits> describe_sql(const DatabaseSettings& settings, DbKind kind);

}  // namespace postern

#endif
