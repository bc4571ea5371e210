#include "auth/db_sql_connect.h"

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace postern {

namespace {

constexpr uint64_t kMostSeconds = 3600;
constexpr std::string_view kFile = "dbname";  // sqlite's only value

// --- MySQL and MariaDB -------------------------------------------------------

// How a key of Dovecot's is called by SOCI, by MariaDB's library in a host's own options, and in option files.
struct MysqlKey {
  std::string_view name, soci, library, option;
  std::string_view preset = {};
};
constexpr MysqlKey kMysqlKeys[] = {
    {"dbname", "db", "", "database"},
    {"user", "user", "", "user"},
    {"password", "password", "", "password"},
    {"port", "port", "", "port"},
    {"connect_timeout", "connect_timeout", "", "connect-timeout", "5"},
    {"read_timeout", "read_timeout", "", "", "10"},
    {"write_timeout", "write_timeout", "", "", "10"},
    {"ssl_ca", "", "ssl-ca", "ssl-ca"},
    {"ssl_ca_path", "", "ssl-capath", "ssl-capath"},
    {"ssl_cert", "", "ssl-cert", "ssl-cert"},
    {"ssl_key", "", "ssl-key", "ssl-key"},
    {"ssl_cipher", "", "ssl-cipher", "ssl-cipher"},
    {"ssl_verify_server_cert", "", "", ""},
    {"option_file", "", "", ""},
    {"option_group", "", "", ""},
};

const MysqlKey* find_key(std::string_view name, std::string_view MysqlKey::*column = &MysqlKey::name) {
  const auto found =
      std::find_if(std::begin(kMysqlKeys), std::end(kMysqlKeys), [&](const MysqlKey& k) { return k.*column == name; });
  return name.empty() || found == std::end(kMysqlKeys) ? nullptr : found;
}

std::string value_of(const SqlConnect& c, std::string_view key, std::string_view otherwise = {}) {
  const auto found = c.values.find(std::string(key));
  return std::string(found == c.values.end() ? otherwise : std::string_view(found->second));
}

Status take_mysql(SqlConnect& out, std::string_view key, std::string_view value) {
  if (key == "client_flags") return Error("client_flags cannot be set");
  if (find_key(key) == nullptr) return Error(printable(key) + ": unknown key");
  out.values[std::string(key)] = value;
  return {};
}

Status parse_mysql(std::string_view text, SqlConnect& out) {
  for (std::string_view word : split_words(text, " \t\r\n")) {
    const size_t sign = word.find('=');
    if (sign == std::string_view::npos) return Error("a word without '='");
    const std::string_view key = word.substr(0, sign), value = word.substr(sign + 1);
    if (key == "host" || key == "hostaddr") out.hosts.emplace_back(value);
    else if (key == "maxconns") continue;
    else if (const Status taken = take_mysql(out, key, value); !taken) return taken;
  }
  for (const MysqlKey& k : kMysqlKeys)
    if (!k.preset.empty()) out.values.try_emplace(std::string(k.name), k.preset);
  return {};
}

// SOCI knows quotes, but nothing to escape one.
Result<std::string> soci_pair(std::string_view name, std::string_view key, std::string_view value) {
  const char quote = value.find('\'') == std::string_view::npos ? '\'' : '"';
  if (value.find(quote) != std::string_view::npos) return Error(std::string(name) + ": has both kinds of quotes");
  return std::string(key).append("=").append(1, quote).append(value).append(1, quote).append(" ");
}

// The library reads options out of a host that has a semicolon.
Result<std::string> mysql_host(const SqlConnect& c, const std::string& host) {
  std::string options;
  for (const MysqlKey& k : kMysqlKeys) {
    const std::string value = k.library.empty() ? std::string() : value_of(c, k.name);
    if (value.find(';') != std::string::npos) return Error(std::string(k.name) + ": has a semicolon");
    if (!value.empty()) options.append(";").append(k.library).append("=").append(value);
  }
  if (host.find_first_of(";=") != std::string::npos) return Error("host: is no host");
  if (!c.wants_tls()) return host;
  const bool verify = value_of(c, "ssl_verify_server_cert", "yes") != "no";
  return "host=" + host + options + ";ssl-enforce=1" + (verify ? ";ssl-verify-server-cert=1" : "");
}

Result<SqlHost> mysql_target(const SqlConnect& c, const std::string& host) {
  const bool socket = host.starts_with('/');
  const auto where = socket ? Result<std::string>(host) : mysql_host(c, host);
  if (!where) return Error(where.error());
  const auto first =
      host.empty() ? Result<std::string>("") : soci_pair("host", socket ? "unix_socket" : "host", *where);
  if (!first) return Error(first.error());
  SqlHost out{host.empty() ? "localhost" : host, SecretString(*first)};
  for (const MysqlKey& k : kMysqlKeys) {
    const std::string value = k.soci.empty() ? std::string() : value_of(c, k.name);
    if (value.empty()) continue;
    const auto pair = soci_pair(k.name, k.soci, value);
    if (!pair) return Error(pair.error());
    out.connect.append(*pair);
  }
  out.connect.append("charset='utf8mb4'");
  return out;
}

// --- PostgreSQL --------------------------------------------------------------

// The value at `at`, which it moves behind it; none when a quote has no end.
std::optional<std::string> pgsql_value(std::string_view text, size_t& at) {
  const bool quoted = at < text.size() && text[at] == '\'';
  std::string out;
  for (at += quoted; at < text.size(); ++at) {
    if (quoted ? text[at] == '\'' : std::string_view(" \t\r\n").find(text[at]) != std::string_view::npos) break;
    if (text[at] == '\\' && at + 1 < text.size()) ++at;
    out += text[at];
  }
  if (quoted && at++ >= text.size()) return std::nullopt;
  return out;
}

void take_pgsql(SqlConnect& out, std::string key, std::string value) {
  if (key == "host") out.hosts.push_back(std::move(value));
  else if (key != "maxconns") out.values[std::move(key)] = std::move(value);
}

Status parse_pgsql(std::string_view text, SqlConnect& out) {
  constexpr std::string_view kBlanks = " \t\r\n";
  if (text.find("://") < text.find('=')) return Error("a URI is not accepted: write host= dbname= user=");
  for (size_t at = text.find_first_not_of(kBlanks); at < text.size(); at = text.find_first_not_of(kBlanks, at)) {
    const size_t sign = text.find('=', at);
    if (sign == std::string_view::npos) return Error("a word without '='");
    const std::string_view key = text.substr(at, sign - at);
    at = std::min(text.find_first_not_of(kBlanks, sign + 1), text.size());
    auto value = pgsql_value(text, at);
    if (!value) return Error("a quoted value has no end");
    take_pgsql(out, std::string(key.substr(0, key.find_last_not_of(kBlanks) + 1)), std::move(*value));
  }
  out.values.try_emplace("connect_timeout", "5");
  return {};
}

std::string pgsql_pair(std::string_view key, std::string_view value) {
  std::string out = std::string(key) + "='";
  for (char c : value) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "' ";
}

Result<SqlHost> pgsql_target(const SqlConnect& c, const std::string& host) {
  SqlHost out{host.empty() ? value_of(c, "hostaddr", "localhost") : host, {}};
  if (!host.empty()) out.connect.append(pgsql_pair("host", host));
  for (const auto& [key, value] : c.values)
    if (key != "read_timeout") out.connect.append(pgsql_pair(key, value));
  return out;
}

// --- SQLite ------------------------------------------------------------------

// "PATH [options]" as in Dovecot; options are for writers.
Status parse_sqlite(std::string_view text, SqlConnect& out) {
  const auto words = split_words(text);
  if (words.empty()) return Error("names no file");
  out.values[std::string(kFile)] = words[0];
  return {};
}

Result<SqlHost> sqlite_target(const SqlConnect& c, const std::string&) {
  const std::string path = value_of(c, kFile);
  return SqlHost{path, SecretString("dbname=\"" + path + "\" timeout=2")};
}

// --- all ---------------------------------------------------------------------

struct Notation {
  std::string_view dialect;
  Status (*parse)(std::string_view text, SqlConnect& out);
  Result<SqlHost> (*target)(const SqlConnect& connect, const std::string& host);
};
constexpr Notation kNotations[] = {{"sqlite", parse_sqlite, sqlite_target},
                                   {"mysql", parse_mysql, mysql_target},
                                   {"pgsql", parse_pgsql, pgsql_target}};

const Notation& notation_of(const SqlDialect& dialect) {
  return *std::find_if(std::begin(kNotations), std::end(kNotations),
                       [&](const Notation& n) { return n.dialect == dialect.name; });
}

Status check_seconds(const SqlConnect& c) {
  for (std::string_view key : {"connect_timeout", "read_timeout", "write_timeout"})
    if (const auto found = c.values.find(std::string(key));
        found != c.values.end() && parse_number(found->second, kMostSeconds).value_or(0) == 0)
      return Error(std::string(key) + ": not a number of seconds, 1 to " + std::to_string(kMostSeconds));
  return {};
}

// A group of an option file whose values the library's programs would read.
bool reads_group(std::string_view line, std::string_view wanted) {
  const std::string_view group = trim(line.substr(1, line.find(']') - 1));
  return group == "client" || group == "client-server" || group == "client-mariadb" || group == wanted;
}

std::string_view unquoted(std::string_view value) {
  const bool quoted = value.size() >= 2 && (value[0] == '"' || value[0] == '\'') && value.back() == value[0];
  return quoted ? value.substr(1, value.size() - 2) : value;
}

std::string with_dashes(std::string_view key) {
  std::string out(trim(key));
  std::replace(out.begin(), out.end(), '_', '-');
  return out;
}

}  // namespace

Result<SqlConnect> SqlConnect::parse(const SqlDialect& dialect, std::string_view text) {
  SqlConnect out;
  Status status = notation_of(dialect).parse(text, out);
  if (status) status = check_seconds(out);
  if (!status) return Error(status.error());
  if (const auto limit = parse_number(value_of(out, "read_timeout"), kMostSeconds))
    out.answer_limit = std::chrono::seconds(*limit);
  const auto tried = out.targets(dialect);
  if (!tried) return Error(tried.error());
  return out;
}

void SqlConnect::add_options(std::string_view file) {
  const std::string group = value_of(*this, "option_group", "client");
  std::map<std::string, std::string> found;
  bool ours = false;
  for (std::string_view line : split_words(file, "\n")) {
    line = trim(line.substr(0, line.find('\r')));
    if (line.empty() || line[0] == '#' || line[0] == ';' || line[0] == '!') continue;
    if (line[0] == '[') ours = reads_group(line, group);
    else if (ours)
      found[with_dashes(line.substr(0, line.find('=')))] =
          unquoted(trim(line.substr(std::min(line.find('='), line.size() - 1) + 1)));
  }
  for (const auto& [option, value] : found)
    if (const MysqlKey* key = find_key(option, &MysqlKey::option)) values.try_emplace(std::string(key->name), value);
  const std::string here = found.contains("socket") ? found["socket"] : found["host"];
  if (hosts.empty() && !here.empty()) hosts.push_back(here);
}

bool SqlConnect::wants_tls() const {
  return std::any_of(std::begin(kMysqlKeys), std::end(kMysqlKeys),
                     [&](const MysqlKey& k) { return !k.library.empty() && !value_of(*this, k.name).empty(); });
}

Result<std::vector<SqlHost>> SqlConnect::targets(const SqlDialect& dialect) const {
  std::vector<SqlHost> out;
  const std::vector<std::string> nowhere(1);
  for (const std::string& host : hosts.empty() ? nowhere : hosts) {
    auto target = notation_of(dialect).target(*this, host);
    if (!target) return Error(target.error());
    out.push_back(std::move(*target));
  }
  return out;
}

}  // namespace postern
