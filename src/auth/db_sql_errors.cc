#include "auth/db_sql_errors.h"

#include <algorithm>

#include "base/text.h"

namespace postern {

namespace {

constexpr size_t kShortValue = 3;  // its letters are found in any message

// Errors of a MariaDB server that another one, or the same a little later, need not have.
constexpr unsigned kMysqlPassing[] = {
    1040,  // too many connections
    1053,  // shutdown in progress
    1135,  // no thread
    1203,  // too many connections of this user
    1205,  // lock wait timeout
    1213,  // deadlock
    1317,  // query interrupted
    1927,  // connection killed
    1969,  // max_statement_time exceeded
    3024,  // the same of MySQL
};

// Text that the column's character set does not have.
constexpr unsigned kMysqlText[] = {1267, 1300, 1366, 3854};

// Connection, resources, operator and system; a transaction that lost against others.
constexpr std::string_view kPgsqlPassing[] = {"08", "40", "53", "57", "58"};

constexpr std::string_view kAround[] = {"Cannot execute query. ", "Cannot prepare statement. ",
                                        "Cannot establish connection to the database.", "Fatal error.", "ERROR:  "};

constexpr std::string_view kNoType[] = {"Unknown data type", "unknown data type", "Cannot parse date"};

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
}

void hide(std::string& text, const std::string& value) {
  if (value.empty()) return;
  for (const std::string_view quote : {"'", "\"", "`"})
    replace_all(text, std::string(quote).append(value).append(quote), "'...'");
  if (value.size() > kShortValue) replace_all(text, value, "...");
}

}  // namespace

bool has_foreign(const std::vector<std::string>& values) {
  const auto foreign = [](char c) { return static_cast<unsigned char>(c) >= 0x80; };
  return std::any_of(values.begin(), values.end(),
                     [&](const std::string& v) { return std::any_of(v.begin(), v.end(), foreign); });
}

SqlFault mysql_fault(unsigned number) {
  if (std::find(std::begin(kMysqlText), std::end(kMysqlText), number) != std::end(kMysqlText)) return SqlFault::Value;
  const bool passing = number == 0 || (number >= 2000 && number < 3000) ||
                       std::find(std::begin(kMysqlPassing), std::end(kMysqlPassing), number) != std::end(kMysqlPassing);
  return passing ? SqlFault::Host : SqlFault::Query;
}

SqlFault pgsql_fault(std::string_view state) {
  if (state.find_first_not_of(std::string_view(" \0", 2)) == std::string_view::npos) return SqlFault::Host;
  if (state == "42P18") return SqlFault::Type;
  if (state == "22021") return SqlFault::Value;  // bytes that are no text in the database's encoding
  const bool passing =
      std::find(std::begin(kPgsqlPassing), std::end(kPgsqlPassing), state.substr(0, 2)) != std::end(kPgsqlPassing);
  return passing ? SqlFault::Host : SqlFault::Query;
}

std::string sql_error_text(std::string_view message, const std::vector<std::string>& values) {
  std::string text(message);
  for (std::string_view around : kAround) replace_all(text, around, "");
  text.erase(0, text.find_first_not_of(" \r\n"));
  text.resize(std::min({text.size(), text.find('\n'), text.find(" near '")}));
  for (const std::string& value : values) hide(text, value);
  const bool no_type =
      std::any_of(std::begin(kNoType), std::end(kNoType), [&](std::string_view w) { return text.starts_with(w); });
  if (no_type) text += " (a column's type has no text form here: CAST it)";
  return printable(text, 400);
}

}  // namespace postern
