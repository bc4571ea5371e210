#include "auth/db_sql.h"

#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>
#include <sys/stat.h>

#include <ctime>
#include <exception>
#include <optional>

#include "auth/db_sql_plan.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

namespace postern {

namespace {

using Seconds = std::chrono::seconds;
constexpr Seconds kFirstRetry{1}, kLongestRetry{15};

// --- values ------------------------------------------------------------------

std::string date_text(const std::tm& tm) {
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm)};
}

std::string double_text(double value) {
  char text[40];
  return {text, static_cast<size_t>(snprintf(text, sizeof text, "%.15g", value))};
}

struct Converter {
  soci::data_type type;
  std::string (*text)(const soci::row& row, size_t column);
};
constexpr Converter kConverters[] = {
    {soci::dt_string, [](const soci::row& r, size_t i) { return r.get<std::string>(i); }},
    {soci::dt_date, [](const soci::row& r, size_t i) { return date_text(r.get<std::tm>(i)); }},
    {soci::dt_double, [](const soci::row& r, size_t i) { return double_text(r.get<double>(i)); }},
    {soci::dt_integer, [](const soci::row& r, size_t i) { return std::to_string(r.get<int>(i)); }},
    {soci::dt_long_long, [](const soci::row& r, size_t i) { return std::to_string(r.get<long long>(i)); }},
    {soci::dt_unsigned_long_long, [](const soci::row& r, size_t i) { return std::to_string(r.get<unsigned long long>(i)); }},
    {soci::dt_blob, nullptr},
    {soci::dt_xml, [](const soci::row& r, size_t i) { return r.get<std::string>(i); }},
};

// NULL, and the error for a type without text.
Result<std::optional<std::string>> text_of(const soci::row& row, size_t column) {
  if (row.get_indicator(column) == soci::i_null) return std::optional<std::string>();
  for (const Converter& c : kConverters)
    if (c.type == row.get_properties(column).get_data_type() && c.text != nullptr) return std::optional<std::string>(c.text(row, column));
  return Error("column " + row.get_properties(column).get_name() + " has a type without text form");
}

// --- backends ----------------------------------------------------------------

// concat(a, b, ...), which SQLite lacks before 3.44.
void sqlite_concat(sqlite_api::sqlite3_context* context, int count, sqlite_api::sqlite3_value** values) {
  std::string out;
  for (int i = 0; i < count; ++i)
    if (const unsigned char* text = sqlite_api::sqlite3_value_text(values[i])) out += reinterpret_cast<const char*>(text);
  sqlite_api::sqlite3_result_text(context, out.data(), static_cast<int>(out.size()),
                                  reinterpret_cast<sqlite_api::sqlite3_destructor_type>(-1));  // SQLITE_TRANSIENT
}

void prepare_sqlite(soci::session& session) {
  auto* backend = static_cast<soci::sqlite3_session_backend*>(session.get_backend());
  sqlite_api::sqlite3_create_function(backend->conn_, "concat", -1, SQLITE_UTF8, nullptr, sqlite_concat, nullptr, nullptr);
}

// "PATH [options]" as in Dovecot; options are for writers.
std::string sqlite_path(const std::string& connect) { return std::string(split_words(connect)[0]); }

// SQLite would make a missing file.
std::string sqlite_string(const std::string& connect) {
  const std::string path = sqlite_path(connect);
  struct stat there {};
  if (::stat(path.c_str(), &there) != 0) throw soci::soci_error("no such file: " + path);
  return "dbname=\"" + path + "\" timeout=2";
}

struct Backend {
  std::string_view dialect;
  const soci::backend_factory& (*factory)();
  std::string (*connect_string)(const std::string& connect);  // may throw soci_error
  void (*prepare)(soci::session& session);
  std::string (*file)(const std::string& connect);            // null, or the file whose replacement means reconnect
};
constexpr Backend kBackends[] = {
    {"sqlite", []() -> const soci::backend_factory& { return *soci::factory_sqlite3(); }, sqlite_string, prepare_sqlite, sqlite_path},
};

const Backend* find_backend(std::string_view dialect) {
  for (const Backend& b : kBackends)
    if (b.dialect == dialect) return &b;
  return nullptr;
}

// --- the database ------------------------------------------------------------

class SqlDatabase final : public Database {
 public:
  SqlDatabase(SqlPlan plan, DbKind kind, const Backend& backend) : plan_(std::move(plan)), kind_(kind), backend_(backend) {}

  DbRow lookup(const Variables& variables, const SecretString*) override {
    std::vector<std::string> values;
    for (const SqlParameter& p : plan_.query.parameters) {
      values.push_back(p.value.expand(variables));
      if (values.back().find('\0') != std::string::npos) return DbRow::not_found();
    }
    if (connection_ && file_replaced()) connection_.reset();
    const bool kept = connection_ != nullptr;
    DbRow row = try_lookup(values);
    // A connection that was good may have died since: once more with a new one.
    if (row.result == LookupResult::Broken && !connection_ && kept) row = try_lookup(values);
    return row;
  }

 private:
  // The statement refers to `values` and `row` here; they must not move.
  struct Connection {
    soci::session session;
    std::vector<std::string> values;
    soci::row row;
    std::optional<soci::statement> statement;
    struct stat file {};
  };

  DbRow try_lookup(const std::vector<std::string>& values) {
    const Instant now = SystemClock().now();
    if (!connection_ && now < retry_at_) return DbRow::broken("not connected: " + last_error_);
    try {
      if (!connection_) connect();
      retry_ = kFirstRetry;
      return query(values);
    } catch (const soci::soci_error& e) {
      // get_error_message(): what() would quote the bound values.
      return lost(now, e.get_error_message());
    } catch (const std::exception& e) {
      return lost(now, e.what());
    }
  }

  DbRow lost(Instant now, std::string why) {
    if (!ready_) {
      retry_at_ = now + retry_;
      retry_ = std::min(retry_ * 5, kLongestRetry);
    }
    connection_.reset();
    last_error_ = std::move(why);
    return DbRow::broken(last_error_);
  }

  void connect() {
    ready_ = false;
    auto c = std::make_unique<Connection>();
    c->session.open(backend_.factory(), backend_.connect_string(plan_.connect));
    if (backend_.prepare != nullptr) backend_.prepare(c->session);
    if (backend_.file != nullptr) ::stat(backend_.file(plan_.connect).c_str(), &c->file);
    c->values.resize(plan_.query.parameters.size());
    soci::details::prepare_temp_type prepared = (c->session.prepare << plan_.query.text);
    for (size_t i = 0; i < c->values.size(); ++i)
      prepared, soci::use(c->values[i], plan_.query.parameters[i].name);
    prepared, soci::into(c->row);
    c->statement.emplace(prepared);
    connection_ = std::move(c);
    ready_ = true;
  }

  DbRow query(const std::vector<std::string>& values) {
    Connection& c = *connection_;
    for (size_t i = 0; i < values.size(); ++i) c.values[i] = values[i];
    if (!c.statement->execute(true)) return DbRow::not_found();
    RowBuilder row(kind_);
    for (size_t i = 0; i < c.row.size(); ++i) {
      const auto value = text_of(c.row, i);
      if (!value) return DbRow::broken(value.error());
      row.add(c.row.get_properties(i).get_name(), *value ? std::optional<std::string_view>(**value) : std::nullopt);
    }
    const bool passdb = kind_ == DbKind::Passdb;
    if (passdb && !row.has_password_column()) return DbRow::broken("Password query must return a field named 'password'");
    if (c.statement->fetch()) return DbRow::broken(passdb ? "Password query returned multiple matches" : "User query returned multiple matches");
    return row.take();
  }

  bool file_replaced() const {
    if (backend_.file == nullptr) return false;
    struct stat now {};
    return ::stat(backend_.file(plan_.connect).c_str(), &now) != 0 || now.st_ino != connection_->file.st_ino ||
           now.st_dev != connection_->file.st_dev;
  }

  SqlPlan plan_;
  DbKind kind_;
  const Backend& backend_;
  std::unique_ptr<Connection> connection_;
  bool ready_ = false;  // the last connect() went to its end
  Instant retry_at_{};
  Seconds retry_ = kFirstRetry;
  std::string last_error_;
};

}  // namespace

Result<std::unique_ptr<Database>> open_sql(const DatabaseSettings& settings, DbKind kind) {
  auto plan = SqlPlan::from(settings, kind);
  if (!plan) return Error(plan.error());
  const Backend* backend = find_backend(plan->dialect->name);
  if (backend == nullptr) return Error("sql_driver: built without " + std::string(plan->dialect->name));
  return std::unique_ptr<Database>(std::make_unique<SqlDatabase>(std::move(*plan), kind, *backend));
}

}  // namespace postern
