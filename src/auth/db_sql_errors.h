// What databases say when something fails: whose fault it is, and the words of it that may stand in a log. Pure.
#ifndef POSTERN_AUTH_DB_SQL_ERRORS_H
#define POSTERN_AUTH_DB_SQL_ERRORS_H

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace postern {

// Host: another host may answer, so the query is tried there (AUTH-18). Query: no host will. Value: no row can have
// such a value. Type: PostgreSQL cannot tell a parameter's type.
enum class SqlFault : uint8_t { Host, Query, Value, Type };

// By errno of MariaDB's library and server.
SqlFault mysql_fault(unsigned number);
// By SQLSTATE; empty or blank: the connection is lost.
SqlFault pgsql_fault(std::string_view state);

// Whether a value has more than ASCII, which every character set has: without, a Value fault is the query's.
bool has_foreign(const std::vector<std::string>& values);

// One line of `message` without what SOCI and the servers put around it, without the query (MySQL quotes it behind
// "near", values and all) and without any of the values that were bound.
std::string sql_error_text(std::string_view message, const std::vector<std::string>& values);

}  // namespace postern

#endif
