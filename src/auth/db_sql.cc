#include "auth/db_sql.h"

#include <random>

#include "auth/db_sql_hosts.h"
#include "base/clock.h"
#include "base/log.h"
#include "conf/scan.h"

namespace postern {

namespace {

class SqlDatabase final : public Database {
 public:
  SqlDatabase(SqlPlan plan, DbKind kind, std::string name, std::vector<SqlHost> hosts, size_t first, SqlOpener opener,
              const Clock& clock)
      : plan_(std::move(plan)),
        kind_(kind),
        name_(std::move(name)),
        hosts_(std::move(hosts)),
        turns_(hosts_.size(), first),
        opener_(std::move(opener)),
        clock_(clock) {}

  DbRow lookup(const Variables& variables, const SecretString*) override {
    std::vector<std::string> values;
    for (const SqlParameter& p : plan_.query.parameters) {
      values.push_back(p.value.expand(variables));
      if (values.back().find('\0') != std::string::npos) return DbRow::not_found();
    }
    DbRow row = DbRow::broken("");
    const bool answered = on_some_host([&](SqlSession& session) {
      SqlAnswer answer = session.lookup(values);
      row = std::move(answer.row);
      if (row.result != LookupResult::Broken || answer.fault != SqlFault::Host) return Status();
      return Status(Error(row.why));
    });
    if (!answered) return broken(last_error_);
    return row.result == LookupResult::Broken ? broken(row.why) : std::move(row);
  }

  Status iterate(const std::function<void(std::string_view)>& each) override {
    if (!plan_.iterate) return Error(named("iterate_query is missing"));
    Status out;
    // Names that are told cannot be taken back: no second host after the query began.
    const bool asked = on_some_host([&](SqlSession& session) {
      out = session.iterate(each);
      return Status();
    });
    if (asked && !out) session_.reset();
    return !asked ? Error(named(last_error_)) : out ? out : Error(named(out.error()));
  }

 private:
  using Task = std::function<Status(SqlSession& session)>;

  // Runs the task with the connection there is, then with new ones, until one does not fail by its host's fault.
  bool on_some_host(const Task& task) {
    if (session_ != nullptr && session_->replaced()) session_.reset();
    if (session_ != nullptr && run(task)) return true;
    for (size_t tries = 0; tries < turns_.count(); ++tries)
      if (connect(tries == 0) && run(task)) return true;
    return false;
  }

  bool run(const Task& task) {
    const Status status = task(*session_);
    if (status) return true;
    session_.reset();
    lost(status.error());
    return false;
  }

  bool connect(bool first_try) {
    const auto host = turns_.take(clock_.now());
    if (!host && first_try && !last_error_.starts_with(kWaiting)) last_error_ = std::string(kWaiting) + last_error_;
    if (!host) return false;
    host_ = *host;
    auto session = opener_(plan_, kind_, hosts_[host_]);
    if (!session) {
      turns_.failed(host_, clock_.now());
      lost(session.error());
      return false;
    }
    turns_.connected(host_);
    session_ = std::move(*session);
    return true;
  }

  // With one host what the look-up says is enough.
  void lost(const std::string& why) {
    last_error_ = hosts_.size() == 1 ? why : "host " + hosts_[host_].label + ": " + why;
    if (hosts_.size() > 1) log_warning(named(last_error_));
  }

  std::string named(const std::string& why) const { return name_.empty() ? why : name_ + ": " + why; }
  DbRow broken(const std::string& why) const { return DbRow::broken(named(why)); }

  static constexpr std::string_view kWaiting = "not connected: ";

  SqlPlan plan_;
  DbKind kind_;
  std::string name_;
  std::vector<SqlHost> hosts_;
  SqlHosts turns_;
  SqlOpener opener_;
  const Clock& clock_;
  std::unique_ptr<SqlSession> session_;  // refers to plan_
  size_t host_ = 0;                      // of session_, or the last one tried
  std::string last_error_;
};

// What the library's option file adds.
Status read_options(SqlConnect& connect) {
  const auto file = connect.values.find("option_file");
  if (file == connect.values.end()) return {};
  const auto text = read_text_file(file->second);
  if (!text) return Error("sql_connect: option_file: " + text.error());
  connect.add_options(*text);
  return {};
}

}  // namespace

std::unique_ptr<Database> make_sql(SqlPlan plan, DbKind kind, std::string name, std::vector<SqlHost> hosts,
                                   size_t first_host, SqlOpener opener, const Clock& clock) {
  return std::make_unique<SqlDatabase>(std::move(plan), kind, std::move(name), std::move(hosts), first_host,
                                       std::move(opener), clock);
}

Result<std::unique_ptr<Database>> open_sql(const DatabaseSettings& settings, DbKind kind) {
  static const SystemClock clock;
  auto plan = SqlPlan::from(settings, kind);
  if (!plan) return Error(plan.error());
  if (!is_sql_built(*plan->dialect)) return Error("sql_driver: built without " + std::string(plan->dialect->name));
  if (const Status read = read_options(plan->connect); !read) return Error(read.error());
  auto hosts = plan->connect.targets(*plan->dialect);
  if (!hosts) return Error("sql_connect: " + hosts.error());
  return make_sql(std::move(*plan), kind, settings.name, std::move(*hosts), std::random_device()(), open_sql_session,
                  clock);
}

}  // namespace postern
