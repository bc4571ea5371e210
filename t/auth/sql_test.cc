// SQL: look-ups in real SQLite files, and failover among hosts; texts are in sql_text_test.cc.
#include <gtest/gtest.h>

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "auth/db_sql_plan.h"
#include "auth/deadline.h"
#include "auth/fake_variables.h"
#include "auth/temp_dir.h"
#include "config.h"
#include "support/captured_log.h"
#include "support/movable_clock.h"
#ifdef HAVE_SOCI
#include <sqlite3.h>

#include "auth/db_sql.h"
#endif

namespace postern {
namespace {

DatabaseSettings block(const std::string& connect, const std::string& query) {
  DatabaseSettings s;
  s.driver = "sql";
  s.driver_settings = {{"sql_driver", "sqlite"}, {"sql_connect", connect}, {"sql_password_query", query}};
  return s;
}

TEST(SqlPlan, WarningsForPostgreSql) {  // row B21
  DatabaseSettings s =
      block("host=h",
            "SELECT NULL AS password, 'Y' as nopassword, host, destuser, 'Y' AS proxy FROM proxy WHERE user = '%u'");
  EXPECT_TRUE(describe_sql(s, DbKind::Passdb)->warnings.empty());
  s.driver_settings["sql_driver"] = "pgsql";
  ASSERT_EQ(describe_sql(s, DbKind::Passdb)->warnings.size(), 1u);
  EXPECT_EQ(describe_sql(s, DbKind::Passdb)->warnings[0].substr(0, 37), "sql_password_query: line 1, column 91");
}

TEST(SqlPlan, Blocks) {
  DatabaseSettings s = block("/x", "SELECT password FROM t WHERE u = '%u' AND s = '%s' AND d = '%Lu'");
  const auto traits = describe_sql(s, DbKind::Passdb);
  ASSERT_TRUE(traits);
  EXPECT_EQ(traits->default_scheme, "CRYPT");
  EXPECT_EQ(traits->uses, (std::vector<VariableUse>{{Variable::User, ""}, {Variable::Service, ""}}));
  s.driver_settings["sql_default_pass_scheme"] = "ROT13";
  EXPECT_EQ(describe_sql(s, DbKind::Passdb).error(), "sql_default_pass_scheme = ROT13: unknown scheme");
  s.driver_settings["sql_driver"] = "oracle";
  EXPECT_EQ(describe_sql(s, DbKind::Passdb).error(), "sql_driver = oracle: accepted: sqlite, mysql, pgsql");
  s.driver_settings["sql_driver"] = "sqlite";
  s.driver_settings["sql_default_pass_scheme"] = "PLAIN";
  s.driver_settings["sql_iterate_query"] = "SELECT '%u' AS user";
  EXPECT_EQ(describe_sql(s, DbKind::Passdb).error(), "sql_iterate_query: has variables: it lists all users");
  s.driver_settings.erase("sql_iterate_query");
  s.driver_settings["sql_driver"] = "mysql";
  s.driver_settings["sql_connect"] = "host=h nonsense";
  EXPECT_EQ(describe_sql(s, DbKind::Passdb).error(), "sql_connect: a word without '='");
  s.driver_settings.clear();
  EXPECT_FALSE(describe_sql(s, DbKind::Passdb));
}

#ifdef HAVE_SOCI

class Sqlite : public testing::Test {
 protected:
  void run(const char* sql, const char* file = "users.db") {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(dir_.path(file).c_str(), &db), SQLITE_OK);
    char* error = nullptr;
    ASSERT_EQ(sqlite3_exec(db, sql, nullptr, nullptr, &error), SQLITE_OK) << error;
    sqlite3_close(db);
  }
  void SetUp() override {
    run("CREATE TABLE users (userid text, password text, host text, n integer, r real, b blob);"
        "INSERT INTO users VALUES ('joe', '{PLAIN}secret', 'h1', 5, 1.5, NULL);"
        "INSERT INTO users VALUES ('null', NULL, NULL, NULL, NULL, NULL);"
        "INSERT INTO users VALUES ('twice', 'a', 'h', 1, 1, NULL);"
        "INSERT INTO users VALUES ('twice', 'b', 'h', 1, 1, NULL);");
  }
  std::unique_ptr<Database> open(const std::string& query) {
    auto db = open_sql(block(dir_.path("users.db"), query), DbKind::Passdb);
    EXPECT_TRUE(db) << db.error();
    return std::move(*db);
  }
  static std::string ask(Database& db, const std::string& user) {
    const DbRow row = db.lookup(FakeVariables(user), nullptr);
    if (row.result == LookupResult::NotFound) return "not found";
    if (row.result == LookupResult::Broken) return "broken: " + row.why;
    std::string out = row.password
                          ? std::string(row.password_literal ? "literal " : "") + std::string(row.password->reveal())
                          : "NULL";
    for (const auto& [name, value] : row.fields) out += " " + name + "=" + value;
    return out;
  }
  TempDir dir_;
};

constexpr char kQuery[] = "SELECT password, host, n, r FROM users WHERE userid = '%u'";

TEST_F(Sqlite, RowsAndNulls) {  // AUTH-17
  const auto db = open(kQuery);
  EXPECT_EQ(ask(*db, "joe"), "{PLAIN}secret host=h1 n=5 r=1.5");
  EXPECT_EQ(ask(*db, "null"), "NULL");
  EXPECT_EQ(ask(*db, "nobody"), "not found");
  EXPECT_EQ(ask(*db, "joe"), "{PLAIN}secret host=h1 n=5 r=1.5") << "the statement is kept";
  EXPECT_EQ(ask(*db, ""), "not found");
}

TEST_F(Sqlite, InjectionStringsAreValues) {  // AUTH-19
  const auto db = open(kQuery);
  for (const char* user : {"' OR '1'='1", "joe'--", "joe' UNION SELECT 1,2,3,4--", "'; DROP TABLE users;--", "\\'",
                           ":p0", "joe\"", "%u", "joe%"})
    EXPECT_EQ(ask(*db, user), "not found") << user;
  EXPECT_EQ(ask(*db, std::string("joe\0x", 5)), "not found");
  EXPECT_EQ(ask(*db, "joe"), "{PLAIN}secret host=h1 n=5 r=1.5");
}

TEST_F(Sqlite, NamesWithQuotesAreFound) {
  run("INSERT INTO users VALUES ('o''brien', 'x', 'h', 1, 1, NULL)");
  EXPECT_EQ(ask(*open(kQuery), "o'brien"), "x host=h n=1 r=1");
}

TEST_F(Sqlite, MoreThanOneRowIsBroken) {
  EXPECT_EQ(ask(*open(kQuery), "twice"), "broken: Password query returned multiple matches");
}

TEST_F(Sqlite, NoPasswordColumnIsBroken) {
  EXPECT_EQ(ask(*open("SELECT host FROM users WHERE userid = '%u'"), "joe"),
            "broken: Password query must return a field named 'password'");
}

TEST_F(Sqlite, ConstantsConcatAndNoscheme) {
  EXPECT_EQ(ask(*open("SELECT NULL AS password, 'Y' AS nopassword, concat('x-', '%n', '@', host) AS destuser, 'Y' AS "
                      "proxy FROM users WHERE userid = '%n'"),
                "joe@d"),
            "NULL nopassword=Y destuser=x-joe@h1 proxy=Y");
  EXPECT_EQ(ask(*open("SELECT '{x}' AS password_noscheme WHERE '%u' = '%u'"), "joe"), "literal {x}");
}

TEST_F(Sqlite, QueryErrorsShowNoValues) {
  const std::string why = ask(*open("SELECT password FROM nosuchtable WHERE userid = '%u'"), "topsecretuser");
  EXPECT_EQ(why.substr(0, 7), "broken:");
  EXPECT_EQ(why.find("topsecretuser"), std::string::npos) << why;
  EXPECT_NE(why.find("no such table"), std::string::npos) << why;
}

TEST_F(Sqlite, MissingFileIsNotMade) {
  auto db = open_sql(block(dir_.path("none.db"), kQuery), DbKind::Passdb);
  ASSERT_TRUE(db);
  EXPECT_EQ(ask(**db, "joe"), "broken: no such file: " + dir_.path("none.db"));
  EXPECT_FALSE(std::filesystem::exists(dir_.path("none.db")));
  EXPECT_EQ(ask(**db, "joe"), "broken: not connected: no such file: " + dir_.path("none.db"))
      << "waits before it tries again";
}

TEST_F(Sqlite, ReplacedFileIsOpenedAgain) {
  const auto db = open(kQuery);
  EXPECT_EQ(ask(*db, "new"), "not found");
  run("CREATE TABLE users (userid text, password text, host text, n integer, r real);"
      "INSERT INTO users VALUES ('new', 'p', 'h2', 7, 2.5)",
      "next.db");
  std::filesystem::rename(dir_.path("next.db"), dir_.path("users.db"));
  EXPECT_EQ(ask(*db, "new"), "p host=h2 n=7 r=2.5");
}

TEST_F(Sqlite, Listing) {
  const auto names = [](Database& db) {
    std::string out;
    const Status status = db.iterate([&](std::string_view user) { out.append(user).append(" "); });
    return status ? out : "ERROR " + status.error();
  };
  DatabaseSettings s = block(dir_.path("users.db"), kQuery);
  EXPECT_EQ(names(**open_sql(s, DbKind::Passdb)), "ERROR iterate_query is missing");
  s.driver_settings["sql_iterate_query"] = "SELECT DISTINCT userid AS user FROM users ORDER BY userid";
  EXPECT_EQ(names(**open_sql(s, DbKind::Passdb)), "joe null twice ");
  s.driver_settings["sql_iterate_query"] =
      "SELECT userid AS username, host AS domain FROM users WHERE userid <> 'twice' ORDER BY 1";
  EXPECT_EQ(names(**open_sql(s, DbKind::Passdb)), "joe@h1 null ");
  s.driver_settings["sql_iterate_query"] = "SELECT nosuch FROM users";
  EXPECT_NE(names(**open_sql(s, DbKind::Passdb)).find("no such column: nosuch"), std::string::npos);
}

TEST_F(Sqlite, MessagesNameTheBlock) {
  DatabaseSettings s = block(dir_.path("users.db"), kQuery);
  s.name = "people";
  EXPECT_EQ(ask(**open_sql(s, DbKind::Passdb), "twice"), "broken: people: Password query returned multiple matches");
}

TEST_F(Sqlite, TableRemovedAndBack) {
  const auto db = open(kQuery);
  EXPECT_EQ(ask(*db, "joe").substr(0, 7), "{PLAIN}");
  run("ALTER TABLE users RENAME TO away");
  EXPECT_EQ(ask(*db, "joe").substr(0, 7), "broken:");
  run("ALTER TABLE away RENAME TO users");
  EXPECT_EQ(ask(*db, "joe").substr(0, 7), "{PLAIN}");
}

TEST(Deadline, EndsTheConnectionThatSomebodyWaitsFor) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  char byte;
  {
    const Deadline deadline(ends[0], std::chrono::seconds(1));
    EXPECT_FALSE(deadline.passed());
    ssize_t got = 0;
    while ((got = ::recv(ends[0], &byte, 1, 0)) < 0 && errno == EINTR) {}
    EXPECT_EQ(got, 0);
    EXPECT_TRUE(deadline.passed());
  }
  EXPECT_FALSE(Deadline(-1, std::chrono::seconds(1)).passed()) << "a new one";
  ::close(ends[0]);
  ::close(ends[1]);
}

// Hosts that say what the test wants; `log` has what was asked of them.
class SqlFailover : public testing::Test {
 protected:
  struct Host {
    bool connects = true;
    SqlFault fault = SqlFault::Query;
    bool answers = true;
  };
  class Session final : public SqlSession {
   public:
    Session(SqlFailover& test, size_t host) : test_(test), host_(host) {}
    SqlAnswer lookup(const std::vector<std::string>&) override {
      test_.log_ += "q" + std::to_string(host_) + " ";
      const Host& host = test_.hosts_[host_];
      return {host.answers ? DbRow::not_found() : DbRow::broken("fault"), host.fault};
    }
    Status iterate(const std::function<void(std::string_view)>&) override { return {}; }
    bool replaced() const override { return false; }

   private:
    SqlFailover& test_;
    size_t host_;
  };
  void SetUp() override {
    DatabaseSettings s = block("host=0 host=1", kQuery);
    s.driver_settings["sql_driver"] = "mysql";
    auto plan = SqlPlan::from(s, DbKind::Passdb);
    auto targets = plan->connect.targets(*plan->dialect);
    const auto opener = [this](const SqlPlan&, DbKind, const SqlHost& host) -> Result<std::unique_ptr<SqlSession>> {
      const size_t number = static_cast<size_t>(host.label[0] - '0');
      log_ += "c" + host.label + " ";
      if (!hosts_[number].connects) return Error("refused");
      return std::unique_ptr<SqlSession>(std::make_unique<Session>(*this, number));
    };
    database_ = make_sql(std::move(*plan), DbKind::Passdb, "", std::move(*targets), 0, opener, clock_);
  }
  std::string ask() {
    log_.clear();
    const DbRow row = database_->lookup(FakeVariables(), nullptr);
    return log_ + (row.result == LookupResult::NotFound ? "ok" : row.why);
  }
  CapturedLog lines_;
  MovableClock clock_;
  Host hosts_[2];
  std::string log_;
  std::unique_ptr<Database> database_;
};

TEST_F(SqlFailover, AHostThatIsDownGivesWay) {  // AUTH-18
  hosts_[0].connects = false;
  EXPECT_EQ(ask(), "c0 c1 q1 ok");
  EXPECT_EQ(ask(), "q1 ok") << "the connection is kept";
}

TEST_F(SqlFailover, AConnectionThatDiesIsTriedElsewhere) {
  EXPECT_EQ(ask(), "c0 q0 ok");
  hosts_[0].answers = false;
  hosts_[0].fault = SqlFault::Host;
  EXPECT_EQ(ask(), "q0 c1 q1 ok");
}

TEST_F(SqlFailover, AtMostAsManyTriesAsHosts) {
  for (Host& host : hosts_) host = {true, SqlFault::Host, false};
  EXPECT_EQ(ask(), "c0 q0 c1 q1 host 1: fault");
}

TEST_F(SqlFailover, AWrongQueryIsWrongEverywhere) {
  hosts_[0].answers = false;
  EXPECT_EQ(ask(), "c0 q0 fault");
  EXPECT_EQ(ask(), "q0 fault") << "the connection is good";
}

TEST_F(SqlFailover, HostsThatAreDownWait) {
  for (Host& host : hosts_) host.connects = false;
  EXPECT_EQ(ask(), "c0 c1 host 1: refused");
  EXPECT_EQ(ask(), "not connected: host 1: refused");
  clock_.ahead += std::chrono::seconds(1);
  EXPECT_EQ(ask(), "c0 c1 host 1: refused");
  clock_.ahead += std::chrono::seconds(1);
  EXPECT_EQ(ask(), "not connected: host 1: refused");
  hosts_[1].connects = true;
  clock_.ahead += std::chrono::seconds(4);
  EXPECT_EQ(ask(), "c0 c1 q1 ok");
}

#endif

}  // namespace
}  // namespace postern
