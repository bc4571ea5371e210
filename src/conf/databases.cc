// passdb and userdb blocks, and the files in Dovecot's own notation that their `args` name.
#include <algorithm>

#include "conf/build.h"
#include "conf/dovecot_file.h"
#include "conf/scan.h"

namespace postern {
namespace {

using Database = DatabaseSettings;

struct DriverRow {
  std::string_view name;
  std::string_view prefix;  // of its own keys
  bool args_is_file;
  std::string_view keys;  // without prefix; empty: whatever has the prefix
  bool has_fields;        // fields in `fields` or in `args`
};

constexpr DriverRow kDrivers[] = {
    {"static", "", false, "", true},
    {"passwd-file", "", false, "", false},
    {"passwd", "", false, "", false},
    {"shadow", "", false, "", false},
    {"prefetch", "", false, "", false},
    {"pam", "", false, "", false},
    {"sql", "sql_", true, "driver connect password_query user_query iterate_query update_query default_pass_scheme",
     false},
    {"ldap", "ldap_", true,
     "uris hosts dn dnpass tls tls_ca_cert_file tls_ca_cert_dir tls_cert_file tls_key_file tls_cipher_suite "
     "tls_require_cert base scope deref "
     "pass_attrs pass_filter user_attrs user_filter iterate_attrs iterate_filter auth_bind auth_bind_userdn "
     "default_pass_scheme ldap_version "
     "timeout debug_level blocking ldaprc_path sasl_bind sasl_mech sasl_realm sasl_authz_id",
     false},
    {"redis", "redis_", false, "uri key format default_pass_scheme connect_timeout timeout max_requests", false},
    {"http", "http_", false, "url header timeout max_requests ca_file cert_file key_file pass_client_cert", false},
    {"oauth2", "oauth2_", true,
     "tokeninfo_url introspection_url introspection_mode force_introspection grant_url use_grant_password client_id "
     "client_secret scope "
     "issuers username_attribute username_format username_validation_format active_attribute active_value pass_attrs "
     "openid_configuration_url local_validation_key_dict key_dir jwks_file timeout_msecs max_idle_time_msecs "
     "max_parallel_connections "
     "max_pipelined_requests tls_ca_cert_file tls_ca_cert_dir tls_cert_file tls_key_file tls_cipher_suite "
     "tls_allow_invalid_cert "
     "send_auth_headers rawlog_dir blocking debug",
     false},
};

const DriverRow* find_driver(std::string_view name) {
  for (const DriverRow& row : kDrivers)
    if (row.name == name) return &row;
  return nullptr;
}

bool knows(const DriverRow& driver, std::string_view key) {
  const auto keys = split_words(driver.keys);
  return keys.empty() || std::find(keys.begin(), keys.end(), key) != keys.end();
}

// Scalars as they would stand in Dovecot's file.
std::optional<std::string> scalar_text(const Node& node) {
  if (node.kind == Node::Kind::Text) return node.text;
  if (node.kind == Node::Kind::Integer) return std::to_string(node.integer);
  if (node.kind == Node::Kind::Flag) return node.flag ? "yes" : "no";
  return std::nullopt;
}

class DatabaseReader {
 public:
  DatabaseReader(std::span<const BlockKey<Database>> keys, Problems& problems) : keys_(keys), problems_(problems) {}

  Database read(const Node& node) {
    Database database;
    database.where = node.where;
    const auto others = read_keys(node, keys_, database, problems_);
    if (database.name.empty()) database.name = node.path;
    if (database.driver.empty()) {
      if (!node.child("driver")) problems_.error(node, "needs a driver; accepted: " + accepted_text(driver_row()));
      return database;
    }
    const DriverRow& driver = *find_driver(database.driver);
    for (const Node* other : others) driver_key(*other, driver, database);
    arguments(node, driver, database);
    return database;
  }

 private:
  const Row& driver_row() const {
    return std::find_if(keys_.begin(), keys_.end(), [](const auto& key) { return key.row.name == "driver"; })->row;
  }

  void driver_key(const Node& node, const DriverRow& driver, Database& database) {
    if (node.name == "fields" && driver.has_fields) return fields(node, database);
    if (driver.prefix.empty() || !node.name.starts_with(driver.prefix) ||
        !knows(driver, node.name.substr(driver.prefix.size())))
      return unknown_name(node, names_for(driver), problems_);
    const auto text = scalar_text(node);
    if (!text) return problems_.error(node, "is neither a string nor a number");
    database.driver_settings[node.name] = *text;
  }

  std::vector<std::string_view> names_for(const DriverRow& driver) {
    std::vector<std::string_view> names = key_names(keys_);
    if (driver.has_fields) names.push_back("fields");
    prefixed_.clear();
    for (std::string_view key : split_words(driver.keys)) prefixed_.push_back(fmt::format("{}{}", driver.prefix, key));
    names.insert(names.end(), prefixed_.begin(), prefixed_.end());
    return names;
  }

  void fields(const Node& node, Database& database) {
    if (!expect_group(node, problems_)) return;
    for (const Node& child : node.children) {
      const auto text = scalar_text(child);
      if (!text) problems_.error(child, "is neither a string, a number nor true");
      else if (child.kind == Node::Kind::Flag && child.flag) database.driver_fields.emplace_back(child.name, "");
      else if (child.kind != Node::Kind::Flag) database.driver_fields.emplace_back(child.name, *text);
    }
  }

  void arguments(const Node& node, const DriverRow& driver, Database& database) {
    const Node* args = node.child("args");
    if (driver.has_fields) {
      if (args && node.child("fields")) return problems_.error(*args, "stands beside fields; accepted: one of them");
      if (args) database.driver_fields = parse_fields(database.args);
      return;
    }
    if (!driver.args_is_file || !args) return;
    if (!database.driver_settings.empty())
      return problems_.error(
          *args, fmt::format("stands beside keys with {}; accepted: the file, or such keys", driver.prefix));
    file(*args, driver, database);
  }

  void file(const Node& args, const DriverRow& driver, Database& database) {
    const Result<std::string> text = read_text_file(database.args);
    if (!text) return problems_.error(args, "cannot be read: " + text.error());
    const DovecotFile content = parse_dovecot_file(*text);
    for (const std::string& error : content.errors) problems_.plain_error(fmt::format("{}:{}", database.args, error));
    for (const auto& [key, value] : content.values) {
      if (!knows(driver, key))
        problems_.warning(args, fmt::format("{} in {} is not used", printable(key), database.args));
      database.driver_settings[fmt::format("{}{}", driver.prefix, key)] = value;
    }
  }

  std::span<const BlockKey<Database>> keys_;
  Problems& problems_;
  std::vector<std::string> prefixed_;
};

}  // namespace

std::vector<DatabaseSettings> read_databases(const Node& node, std::span<const BlockKey<DatabaseSettings>> keys,
                                             Problems& problems) {
  std::vector<DatabaseSettings> databases;
  DatabaseReader reader(keys, problems);
  for (const Node* element : group_elements(node, problems)) databases.push_back(reader.read(*element));
  return databases;
}

}  // namespace postern
