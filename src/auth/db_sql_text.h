// The text of SQL queries: %-variables become bound parameters, never text of the query (AUTH-19, DECISIONS
// section 2). Pure; no database library here.
#ifndef POSTERN_AUTH_DB_SQL_TEXT_H
#define POSTERN_AUTH_DB_SQL_TEXT_H

#include <string>
#include <string_view>
#include <vector>

#include "auth/variables.h"
#include "base/result.h"

namespace postern {

// What differs between databases in the text itself. MySql: backslashes escape, "..." is a literal, # begins a comment,
// a NULL of its own needs a type (PROBES section 7). PgSql: E'...', $$...$$, `user` is a reserved word.
enum class SqlGrammar : uint8_t { Standard, MySql, PgSql };

struct SqlDialect {
  std::string_view name;  // sql_driver
  SqlGrammar grammar = SqlGrammar::Standard;
};
const SqlDialect* find_sql_dialect(std::string_view name);
// "sqlite, mysql, pgsql"
std::string sql_dialect_names();

struct SqlParameter {
  std::string name;  // "p0"; stands as :p0 in the text
  Template value;
};

struct SqlStatement {
  std::string text;
  std::vector<SqlParameter> parameters;  // each occurs once in the text
  std::vector<std::string> warnings;     // "line 1, column 8: ..."
};

// How parameters stand in the text: alone, or as CAST(:p0 AS text), where PostgreSQL cannot tell their type.
enum class SqlParameters : uint8_t { Plain, AsText };

// A quoted literal with variables becomes one parameter that holds the whole expanded literal; a variable outside
// quotes becomes a parameter too; %% is a percent sign. The Error says line, column and why: an unknown variable, or
// one where no database can bind (a table or column name, a quoted identifier, a comment).
Result<SqlStatement> bind_sql(std::string_view query, const SqlDialect& dialect,
                              SqlParameters as = SqlParameters::Plain);

}  // namespace postern

#endif
