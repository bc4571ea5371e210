// Where a SQL database is: Dovecot's `connect` strings, as strings for SOCI, one for each host (AUTH-17, AUTH-18).
// Pure.
#ifndef POSTERN_AUTH_DB_SQL_CONNECT_H
#define POSTERN_AUTH_DB_SQL_CONNECT_H

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "auth/db_sql_text.h"
#include "base/secret.h"

namespace postern {

struct SqlHost {
  std::string label;     // for the log: host, socket or file
  SecretString connect;  // what SOCI takes; has the password
};

struct SqlConnect {
  std::vector<std::string> hosts;  // of the host= keys, in their order; empty: where the library looks by itself
  std::map<std::string, std::string> values;  // all others, in Dovecot's and libpq's names
  std::chrono::seconds answer_limit{10};      // read_timeout: how long a query may take

  // mysql: blank-separated key=value without quotes; pgsql: libpq's notation, host= may stand there several times;
  // sqlite: "PATH options". Limits on time that are not given get their defaults. The Error names the key, never a
  // value.
  static Result<SqlConnect> parse(const SqlDialect& dialect, std::string_view text);
  // mysql: adds from the content of `option_file` what is not given, out of [client] and the group `option_group`.
  void add_options(std::string_view file);
  // At least one.
  Result<std::vector<SqlHost>> targets(const SqlDialect& dialect) const;
  // mysql: connections must have TLS.
  bool wants_tls() const;
};

}  // namespace postern

#endif
