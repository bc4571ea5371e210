// SQL: texts and parameters, and look-ups in real SQLite files.
#include <gtest/gtest.h>

#include "auth/db_sql_plan.h"
#include "auth/fake_variables.h"
#include "auth/temp_dir.h"
#include "config.h"
#ifdef HAVE_SOCI
#include <sqlite3.h>

#include "auth/db_sql.h"
#endif

namespace postern {
namespace {

const SqlDialect& sqlite() { return *find_sql_dialect("sqlite"); }

// "text | value | value" for user Joe@Example.ORG.
std::string bind(std::string_view query, const SqlDialect& dialect = sqlite()) {
  const auto s = bind_sql(query, dialect);
  if (!s) return "ERROR " + s.error();
  std::string out = s->text;
  for (const SqlParameter& p : s->parameters) out += " | " + p.value.expand(FakeVariables());
  return out;
}

struct Case {
  const char* query;
  const char* expected;
};
TEST(SqlText, Binding) {  // DECISIONS section 2
  constexpr Case kCases[] = {
      {"SELECT 1", "SELECT 1"},
      {"SELECT p FROM t WHERE u = '%u'", "SELECT p FROM t WHERE u = :p0 | Joe@Example.ORG"},
      {"WHERE u = 'x-%Lu-y'", "WHERE u = :p0 | x-joe@example.org-y"},
      {"WHERE u = '%n' AND d = '%d'", "WHERE u = :p0 AND d = :p1 | Joe | Example.ORG"},
      {"WHERE u = %u", "WHERE u = :p0 | Joe@Example.ORG"},
      {"WHERE u = '%{user | lower}'", "WHERE u = :p0 | joe@example.org"},
      {"WHERE u = 'it''s %n'", "WHERE u = :p0 | it's Joe"},
      {"SELECT 'it''s' AS x", "SELECT 'it''s' AS x"},
      {"WHERE u LIKE '%%%n%%'", "WHERE u LIKE :p0 | %Joe%"},
      {"WHERE u LIKE 'a%%'", "WHERE u LIKE 'a%'"},
      {"SELECT 5 %% 3", "SELECT 5 % 3"},
      {"SELECT concat('%n', '@', '%d') AS user", "SELECT concat(:p0, '@', :p1) AS user | Joe | Example.ORG"},
      {"WHERE u IN (%u,%n)", "WHERE u IN (:p0,:p1) | Joe@Example.ORG | Joe"},
      {"SELECT \"user\" FROM t", "SELECT \"user\" FROM t"},
      {"SELECT a -- note\nFROM t WHERE u='%u'", "SELECT a -- note\nFROM t WHERE u=:p0 | Joe@Example.ORG"},
      {"SELECT a -- note", "SELECT a -- note"},
      {"WHERE u='%u' /* it's */ AND 1", "WHERE u=:p0 /* it's */ AND 1 | Joe@Example.ORG"},
      {"WHERE u = '\\%n'", "WHERE u = :p0 | \\Joe"},
  };
  for (const Case& c : kCases) EXPECT_EQ(bind(c.query), c.expected) << c.query;
}

TEST(SqlText, WhatCannotBeBound) {
  constexpr Case kCases[] = {
      {"SELECT p FROM %d", "ERROR line 1, column 15: a variable cannot be bound here: names of tables, columns and functions are fixed"},
      {"SELECT p FROM users_%d", "ERROR line 1, column 21: a variable cannot be bound here: names of tables, columns and functions are fixed"},
      {"SELECT p\nFROM %d.users", "ERROR line 2, column 6: a variable cannot be bound here: names of tables, columns and functions are fixed"},
      {"SELECT 1 AS %n", "ERROR line 1, column 13: a variable cannot be bound here: names of tables, columns and functions are fixed"},
      {"SELECT %n%d", "ERROR line 1, column 8: a variable cannot be bound here: names of tables, columns and functions are fixed"},
      {"SELECT \"%n\"", "ERROR line 1, column 9: a variable cannot be bound in a quoted identifier"},
      {"SELECT `%n`", "ERROR line 1, column 9: a variable cannot be bound in a quoted identifier"},
      {"SELECT 1 -- %n", "ERROR line 1, column 13: a variable cannot be bound in a comment"},
      {"SELECT 'x%z'", "ERROR line 1, column 10: unknown variable '%z'"},
      {"SELECT '%n", "ERROR line 1, column 8: a quoted literal has no end"},
      {"SELECT \"n", "ERROR line 1, column 8: a quoted identifier has no end"},
      {"SELECT /* x", "ERROR line 1, column 8: a comment has no end"},
  };
  for (const Case& c : kCases) EXPECT_EQ(bind(c.query), c.expected) << c.query;
}

TEST(SqlText, BackslashEscapes) {
  const SqlDialect mysql{"mysql", true};
  EXPECT_EQ(bind("WHERE u = 'a\\'%n'", mysql), "WHERE u = :p0 | a'Joe");
  EXPECT_EQ(bind("SELECT 'a\\\\b'", mysql), "SELECT 'a\\\\b'");
}

DatabaseSettings block(const std::string& connect, const std::string& query) {
  DatabaseSettings s;
  s.driver = "sql";
  s.driver_settings = {{"sql_driver", "sqlite"}, {"sql_connect", connect}, {"sql_password_query", query}};
  return s;
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
  EXPECT_EQ(describe_sql(s, DbKind::Passdb).error(), "sql_driver = oracle: accepted: sqlite");
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
    std::string out = row.password ? std::string(row.password_literal ? "literal " : "") + std::string(row.password->reveal()) : "NULL";
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
  for (const char* user : {"' OR '1'='1", "joe'--", "joe' UNION SELECT 1,2,3,4--", "'; DROP TABLE users;--", "\\'", ":p0", "joe\"", "%u", "joe%"})
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
  EXPECT_EQ(ask(*open("SELECT host FROM users WHERE userid = '%u'"), "joe"), "broken: Password query must return a field named 'password'");
}

TEST_F(Sqlite, ConstantsConcatAndNoscheme) {
  EXPECT_EQ(ask(*open("SELECT NULL AS password, 'Y' AS nopassword, concat('x-', '%n', '@', host) AS destuser, 'Y' AS proxy FROM users WHERE userid = '%n'"), "joe@d"),
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
  EXPECT_EQ(ask(**db, "joe"), "broken: not connected: no such file: " + dir_.path("none.db")) << "waits before it tries again";
}

TEST_F(Sqlite, ReplacedFileIsOpenedAgain) {
  const auto db = open(kQuery);
  EXPECT_EQ(ask(*db, "new"), "not found");
  run("CREATE TABLE users (userid text, password text, host text, n integer, r real);"
      "INSERT INTO users VALUES ('new', 'p', 'h2', 7, 2.5)", "next.db");
  std::filesystem::rename(dir_.path("next.db"), dir_.path("users.db"));
  EXPECT_EQ(ask(*db, "new"), "p host=h2 n=7 r=2.5");
}

TEST_F(Sqlite, TableRemovedAndBack) {
  const auto db = open(kQuery);
  EXPECT_EQ(ask(*db, "joe").substr(0, 7), "{PLAIN}");
  run("ALTER TABLE users RENAME TO away");
  EXPECT_EQ(ask(*db, "joe").substr(0, 7), "broken:");
}

#endif

}  // namespace
}  // namespace postern
