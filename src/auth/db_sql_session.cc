#include "auth/db_sql_session.h"

#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>
#include <sys/stat.h>

#include "config.h"
#ifdef HAVE_SOCI_MYSQL
#include <soci/mysql/soci-mysql.h>
#endif
#ifdef HAVE_SOCI_PGSQL
#include <soci/postgresql/soci-postgresql.h>
#endif

#include <ctime>
#include <exception>
#include <optional>

#include "auth/deadline.h"

namespace postern {

namespace {

constexpr std::chrono::seconds kListLimit{60};

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
    {soci::dt_unsigned_long_long,
     [](const soci::row& r, size_t i) { return std::to_string(r.get<unsigned long long>(i)); }},
    {soci::dt_blob, nullptr},
    {soci::dt_xml, [](const soci::row& r, size_t i) { return r.get<std::string>(i); }},
};

// NULL, and the error for a type without text.
Result<std::optional<std::string>> text_of(const soci::row& row, size_t column) {
  if (row.get_indicator(column) == soci::i_null) return std::optional<std::string>();
  for (const Converter& c : kConverters)
    if (c.type == row.get_properties(column).get_data_type() && c.text != nullptr)
      return std::optional<std::string>(c.text(row, column));
  return Error("column " + row.get_properties(column).get_name() + " has a type without text form");
}

// --- backends ----------------------------------------------------------------

// concat(a, b, ...), which SQLite lacks before 3.44.
void sqlite_concat(sqlite_api::sqlite3_context* context, int count, sqlite_api::sqlite3_value** values) {
  std::string out;
  for (int i = 0; i < count; ++i)
    if (const unsigned char* text = sqlite_api::sqlite3_value_text(values[i]))
      out += reinterpret_cast<const char*>(text);
  sqlite_api::sqlite3_result_text(context, out.data(), static_cast<int>(out.size()),
                                  reinterpret_cast<sqlite_api::sqlite3_destructor_type>(-1));  // SQLITE_TRANSIENT
}

void prepare_sqlite(soci::session& session, const SqlPlan&) {
  auto* backend = static_cast<soci::sqlite3_session_backend*>(session.get_backend());
  sqlite_api::sqlite3_create_function(backend->conn_, "concat", -1, SQLITE_UTF8, nullptr, sqlite_concat, nullptr,
                                      nullptr);
}

// A file can be replaced or repaired at any time.
SqlFault sqlite_fault(const soci::soci_error&) { return SqlFault::Host; }

int no_socket(soci::session&) { return -1; }

#ifdef HAVE_SOCI_MYSQL
// The library goes on in the clear with a server that has no TLS.
void prepare_mysql(soci::session& session, const SqlPlan& plan) {
  auto* backend = static_cast<soci::mysql_session_backend*>(session.get_backend());
  const bool tcp = ::mysql_get_host_info(backend->conn_) != nullptr &&
                   std::string_view(::mysql_get_host_info(backend->conn_)).ends_with("TCP/IP");
  if (plan.connect.wants_tls() && tcp && ::mysql_get_ssl_cipher(backend->conn_) == nullptr)
    throw soci::soci_error("the server has no TLS");
}

SqlFault mysql_fault_of(const soci::soci_error& e) {
  const auto* error = dynamic_cast<const soci::mysql_soci_error*>(&e);
  return error == nullptr ? SqlFault::Query : mysql_fault(error->err_num_);
}
#endif

#ifdef HAVE_SOCI_PGSQL
SqlFault pgsql_fault_of(const soci::soci_error& e) {
  const auto* error = dynamic_cast<const soci::postgresql_soci_error*>(&e);
  return error == nullptr ? SqlFault::Query : pgsql_fault(error->sqlstate());
}

// libpq waits for answers without a limit of its own.
int pgsql_socket(soci::session& session) {
  return ::PQsocket(static_cast<soci::postgresql_session_backend*>(session.get_backend())->conn_);
}
#endif

struct Backend {
  std::string_view dialect;
  const soci::backend_factory& (*factory)();
  void (*prepare)(soci::session& session,
                  const SqlPlan& plan);  // null, or what comes first in a connection; may throw soci_error
  SqlFault (*fault)(const soci::soci_error& e);
  int (*socket)(soci::session& session);  // what a deadline shuts down
  bool is_file;                           // its replacement means reconnect
};
constexpr Backend kBackends[] = {
    {"sqlite", []() -> const soci::backend_factory& { return *soci::factory_sqlite3(); }, prepare_sqlite, sqlite_fault,
     no_socket, true},
#ifdef HAVE_SOCI_MYSQL
    {"mysql", []() -> const soci::backend_factory& { return *soci::factory_mysql(); }, prepare_mysql, mysql_fault_of,
     no_socket, false},
#endif
#ifdef HAVE_SOCI_PGSQL
    {"pgsql", []() -> const soci::backend_factory& { return *soci::factory_postgresql(); }, nullptr, pgsql_fault_of,
     pgsql_socket, false},
#endif
};

const Backend* find_backend(const SqlDialect& dialect) {
  for (const Backend& b : kBackends)
    if (b.dialect == dialect.name) return &b;
  return nullptr;
}

// --- a connection ------------------------------------------------------------

// get_error_message(): what() would quote the bound values.
std::string text_of(const std::exception& e, const std::vector<std::string>& values) {
  const auto* error = dynamic_cast<const soci::soci_error*>(&e);
  return sql_error_text(error != nullptr ? error->get_error_message() : e.what(), values);
}

class SociSession final : public SqlSession {
 public:
  SociSession(const SqlPlan& plan, DbKind kind, const Backend& backend) : plan_(plan), kind_(kind), backend_(backend) {}

  // Throws what SOCI throws.
  void open(const SqlHost& host) {
    struct stat there {};
    if (backend_.is_file && ::stat(host.label.c_str(), &there) != 0)
      throw soci::soci_error("no such file: " + host.label);  // SQLite would make it
    file_ = there;
    path_ = host.label;
    session_.open(backend_.factory(), std::string(host.connect.reveal()));
    if (backend_.prepare != nullptr) backend_.prepare(session_, plan_);
  }

  SqlAnswer lookup(const std::vector<std::string>& values) override {
    SqlAnswer answer = attempt(values);
    if (answer.fault != SqlFault::Type || typed_ || plan_.typed_query.empty()) return answer;
    typed_ = true;
    return attempt(values);
  }

  Status iterate(const std::function<void(std::string_view)>& each) override {
    const Deadline deadline(backend_.socket(session_), kListLimit);
    try {
      soci::rowset<soci::row> rows = (session_.prepare << plan_.iterate->text);
      for (const soci::row& row : rows)
        if (const std::string user = listed(row); !user.empty()) each(user);
      return {};
    } catch (const std::exception& e) {
      return Error(text_of(e, {}));
    }
  }

  bool replaced() const override {
    struct stat now {};
    return backend_.is_file &&
           (::stat(path_.c_str(), &now) != 0 || now.st_ino != file_.st_ino || now.st_dev != file_.st_dev);
  }

 private:
  SqlAnswer attempt(const std::vector<std::string>& values) {
    const Deadline deadline(backend_.socket(session_), plan_.connect.answer_limit);
    SqlAnswer answer;
    try {
      if (!statement_) prepare();
      answer.row = fetch(values);
    } catch (const soci::soci_error& e) {
      const SqlFault fault = backend_.fault(e);
      answer = failed(text_of(e, values), fault == SqlFault::Value && !has_foreign(values) ? SqlFault::Query : fault);
    } catch (const std::exception& e) {
      answer = failed(text_of(e, values), SqlFault::Query);
    }
    if (!deadline.passed()) return answer;
    return failed("no answer within " + std::to_string(plan_.connect.answer_limit.count()) + " s", SqlFault::Host);
  }

  SqlAnswer failed(std::string why, SqlFault fault) {
    statement_.reset();
    return {fault == SqlFault::Value ? DbRow::not_found() : DbRow::broken(std::move(why)), fault};
  }

  // The statement refers to values_ and row_; they must not move.
  void prepare() {
    values_.resize(plan_.query.parameters.size());
    soci::details::prepare_temp_type prepared = (session_.prepare << (typed_ ? plan_.typed_query : plan_.query.text));
    for (size_t i = 0; i < values_.size(); ++i) prepared, soci::use(values_[i], plan_.query.parameters[i].name);
    prepared, soci::into(row_);
    statement_.emplace(prepared);
  }

  DbRow fetch(const std::vector<std::string>& values) {
    for (size_t i = 0; i < values.size(); ++i) values_[i] = values[i];
    if (!statement_->execute(true)) return DbRow::not_found();
    RowBuilder row(kind_);
    for (size_t i = 0; i < row_.size(); ++i) {
      const auto value = text_of(row_, i);
      if (!value) return DbRow::broken(value.error());
      row.add(row_.get_properties(i).get_name(), *value ? std::optional<std::string_view>(**value) : std::nullopt);
    }
    const bool passdb = kind_ == DbKind::Passdb;
    if (passdb && !row.has_password_column())
      return DbRow::broken("Password query must return a field named 'password'");
    if (statement_->fetch())
      return DbRow::broken(passdb ? "Password query returned multiple matches"
                                  : "User query returned multiple matches");
    return row.take();
  }

  // `user`, or `username` and `domain`; empty: none.
  static std::string listed(const soci::row& row) {
    std::string user, username, domain;
    for (size_t i = 0; i < row.size(); ++i) {
      const auto value = text_of(row, i);
      const std::string name = row.get_properties(i).get_name(), text = value && *value ? **value : std::string();
      if (name == "user") user = text;
      if (name == "username") username = text;
      if (name == "domain") domain = text;
    }
    if (!user.empty() || username.empty()) return user;
    return domain.empty() ? username : username + "@" + domain;
  }

  const SqlPlan& plan_;
  DbKind kind_;
  const Backend& backend_;
  soci::session session_;
  std::vector<std::string> values_;
  soci::row row_;
  std::optional<soci::statement> statement_;
  bool typed_ = false;  // the statement is the plan's typed_query
  std::string path_;
  struct stat file_ {};
};

}  // namespace

bool is_sql_built(const SqlDialect& dialect) { return find_backend(dialect) != nullptr; }

Result<std::unique_ptr<SqlSession>> open_sql_session(const SqlPlan& plan, DbKind kind, const SqlHost& host) {
  try {
    auto session = std::make_unique<SociSession>(plan, kind, *find_backend(*plan.dialect));
    session->open(host);
    return std::unique_ptr<SqlSession>(std::move(session));
  } catch (const std::exception& e) {
    return Error(text_of(e, {}));
  }
}

}  // namespace postern
