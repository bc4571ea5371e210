// SQL: texts and parameters, connect strings, hosts and messages.
#include <gtest/gtest.h>

#include "auth/db_sql_connect.h"
#include "auth/db_sql_errors.h"
#include "auth/db_sql_hosts.h"
#include "auth/db_sql_text.h"
#include "auth/fake_variables.h"

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
      {"SELECT p FROM %d",
       "ERROR line 1, column 15: a variable cannot be bound here: names of tables, columns and functions are fixed"},
      {"SELECT p FROM users_%d",
       "ERROR line 1, column 21: a variable cannot be bound here: names of tables, columns and functions are fixed"},
      {"SELECT p\nFROM %d.users",
       "ERROR line 2, column 6: a variable cannot be bound here: names of tables, columns and functions are fixed"},
      {"SELECT 1 AS %n",
       "ERROR line 1, column 13: a variable cannot be bound here: names of tables, columns and functions are fixed"},
      {"SELECT %n%d",
       "ERROR line 1, column 8: a variable cannot be bound here: names of tables, columns and functions are fixed"},
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
  const SqlDialect& mysql = *find_sql_dialect("mysql");
  EXPECT_EQ(bind("WHERE u = 'a\\'%n'", mysql), "WHERE u = :p0 | a'Joe");
  EXPECT_EQ(bind("SELECT 'a\\\\b'", mysql), "SELECT 'a\\\\b'");
}

TEST(SqlText, MySql) {
  constexpr Case kCases[] = {
      {"WHERE u = \"x-%u\"", "WHERE u = :p0 | x-Joe@Example.ORG"},
      {"WHERE u LIKE'%n'", "WHERE u LIKE:p0 | Joe"},
      {"SELECT 'a\\nb%n'", "SELECT :p0 | a\nbJoe"},
      {"SELECT 'it\\'s :x'", "SELECT 'it''s :x'"},
      {"SELECT \"it\\\"s\"", "SELECT \"it\"\"s\""},
      {"SELECT a # it's\nFROM t WHERE u = '%n'", "SELECT a # it's\nFROM t WHERE u = :p0 | Joe"},
      {"SELECT 5--'%n'", "SELECT 5--:p0 | Joe"},
      {"SELECT a -- it's", "SELECT a -- it's"},
      {"SELECT _utf8'a\\'b'", "SELECT _utf8'a''b'"},
      {"SELECT N'%n'", "ERROR line 1, column 9: a variable cannot be bound in a literal with a prefix"},
      // PROBES section 7: a NULL without a type fails there.
      {"SELECT NULL AS password, 'Y' AS nopassword, null  as x FROM t",
       "SELECT CAST(NULL AS CHAR) AS password, 'Y' AS nopassword, CAST(NULL AS CHAR)  as x FROM t"},
      {"SELECT IF(a IS NULL, NULL, b) FROM t WHERE c IS NOT NULL",
       "SELECT IF(a IS NULL, CAST(NULL AS CHAR), b) FROM t WHERE c IS NOT NULL"},
  };
  for (const Case& c : kCases) EXPECT_EQ(bind(c.query, *find_sql_dialect("mysql")), c.expected) << c.query;
}

TEST(SqlText, PostgreSql) {
  const SqlDialect& pgsql = *find_sql_dialect("pgsql");
  constexpr Case kCases[] = {
      {"SELECT password FROM t WHERE \"user\" = '%u'", "SELECT password FROM t WHERE \"user\" = :p0 | Joe@Example.ORG"},
      {"SELECT a::text, NULL AS b FROM t", "SELECT a::text, NULL AS b FROM t"},
      {"SELECT E'it\\'s :x', 'back\\', '%n'", "SELECT E'it''s :x', 'back\\', :p0 | Joe"},
      {"SELECT E'%n'", "ERROR line 1, column 9: a variable cannot be bound in a literal with a prefix"},
      {"SELECT $$it's$$, $a$ $$ $a$ WHERE u = '%n'", "SELECT $$it's$$, $a$ $$ $a$ WHERE u = :p0 | Joe"},
      {"SELECT $$%n$$", "ERROR line 1, column 10: a variable cannot be bound in a dollar-quoted text"},
  };
  for (const Case& c : kCases) EXPECT_EQ(bind(c.query, pgsql), c.expected) << c.query;
  EXPECT_EQ(bind_sql("concat('%n', %d)", pgsql, SqlParameters::AsText)->text,
            "concat(CAST(:p0 AS text), CAST(:p1 AS text))");
}

TEST(SqlText, UserIsAReservedWordOfPostgreSql) {  // rows B21, B22
  const auto warnings = [](std::string_view query, const char* dialect) {
    return bind_sql(query, *find_sql_dialect(dialect))->warnings;
  };
  EXPECT_EQ(warnings("SELECT host\nFROM proxy WHERE user = '%u'", "pgsql"),
            std::vector<std::string>{"line 2, column 18: user is the database's own user to PostgreSQL: write \"user\" "
                                     "for a column of that name"});
  EXPECT_EQ(warnings("SELECT User, 'Y' AS proxy FROM proxy", "pgsql").size(), 1u);
  EXPECT_TRUE(
      warnings("SELECT concat(a, b) AS user, p.user, current_user FROM p WHERE \"user\" = 'user' /* user */", "pgsql")
          .empty());
  EXPECT_TRUE(warnings("SELECT user FROM proxy", "mysql").empty());
}

// "label connect-string" of each host.
std::vector<std::string> hosts(const char* dialect, std::string_view text, std::string_view options = {}) {
  const SqlDialect& d = *find_sql_dialect(dialect);
  auto c = SqlConnect::parse(d, text);
  if (!c) return {"ERROR " + c.error()};
  c->add_options(options);
  const auto targets = c->targets(d);
  if (!targets) return {"ERROR " + targets.error()};
  std::vector<std::string> out;
  for (const SqlHost& h : *targets) out.push_back(h.label + " " + std::string(h.connect.reveal()));
  return out;
}
using Texts = std::vector<std::string>;
const std::string kMysqlLimits = "connect_timeout='5' read_timeout='10' write_timeout='10' charset='utf8mb4'";

TEST(SqlConnect, MySql) {  // AUTH-17, row B21
  EXPECT_EQ(hosts("mysql", "host=sqlhost1 host=sqlhost2 dbname=mails user=admin password=pass"),
            (Texts{"sqlhost1 host='sqlhost1' db='mails' user='admin' password='pass' " + kMysqlLimits,
                   "sqlhost2 host='sqlhost2' db='mails' user='admin' password='pass' " + kMysqlLimits}));
  EXPECT_EQ(hosts("mysql", "host=/run/mysqld/mysqld.sock dbname=m maxconns=5"),
            Texts{"/run/mysqld/mysqld.sock unix_socket='/run/mysqld/mysqld.sock' db='m' " + kMysqlLimits});
  EXPECT_EQ(hosts("mysql", "host=h port=3307 password=it's connect_timeout=2 read_timeout=3 write_timeout=4"),
            Texts{"h host='h' password=\"it's\" port='3307' connect_timeout='2' read_timeout='3' write_timeout='4' "
                  "charset='utf8mb4'"});
  EXPECT_EQ(hosts("mysql", "dbname=m"), Texts{"localhost db='m' " + kMysqlLimits});
}

TEST(SqlConnect, MySqlWithTls) {
  EXPECT_EQ(
      hosts("mysql", "host=h ssl_ca=/ca.pem ssl_cert=/c.pem ssl_key=/k.pem"),
      Texts{"h host='host=h;ssl-ca=/ca.pem;ssl-cert=/c.pem;ssl-key=/k.pem;ssl-enforce=1;ssl-verify-server-cert=1' " +
            kMysqlLimits});
  EXPECT_EQ(hosts("mysql", "host=h ssl_ca=/ca.pem ssl_verify_server_cert=no"),
            Texts{"h host='host=h;ssl-ca=/ca.pem;ssl-enforce=1' " + kMysqlLimits});
}

TEST(SqlConnect, MySqlOptionFile) {
  constexpr char kFile[] =
      "# comment\n[mysqld]\nuser=no\n[client]\nuser = joe\npassword = \"se "
      "cret\"\nssl-ca=/ca\n[mine]\nhost=h\n[other]\nport=1\n";
  EXPECT_EQ(
      hosts("mysql", "option_file=/x option_group=mine dbname=m", kFile),
      Texts{"h host='host=h;ssl-ca=/ca;ssl-enforce=1;ssl-verify-server-cert=1' db='m' user='joe' password='se cret' " +
            kMysqlLimits});
  EXPECT_EQ(hosts("mysql", "user=first host=g", "[client]\nuser=second\nhost=h\nskip-ssl\n"),
            Texts{"g host='g' user='first' " + kMysqlLimits});
}

TEST(SqlConnect, PostgreSql) {
  EXPECT_EQ(hosts("pgsql", "host=a host=b dbname=mails user=testuser password=pass"),
            (Texts{"a host='a' connect_timeout='5' dbname='mails' password='pass' user='testuser' ",
                   "b host='b' connect_timeout='5' dbname='mails' password='pass' user='testuser' "}));
  EXPECT_EQ(hosts("pgsql",
                  "host = /run/pg  password = 'it\\'s \\\\ host=x' connect_timeout=3 read_timeout=2 "
                  "sslmode=verify-full maxconns=20"),
            Texts{"/run/pg host='/run/pg' connect_timeout='3' password='it\\'s \\\\ host=x' sslmode='verify-full' "});
  EXPECT_EQ(hosts("pgsql", "dbname=m"), Texts{"localhost connect_timeout='5' dbname='m' "});
  EXPECT_EQ(SqlConnect::parse(*find_sql_dialect("pgsql"), "read_timeout=2")->answer_limit, std::chrono::seconds(2));
}

TEST(SqlConnect, Sqlite) {
  EXPECT_EQ(hosts("sqlite", "/var/lib/users.db journal_mode=wal"),
            Texts{"/var/lib/users.db dbname=\"/var/lib/users.db\" timeout=2"});
}

TEST(SqlConnect, ErrorsNameNoValue) {
  struct {
    const char *dialect, *text, *expected;
  } constexpr kCases[] = {
      {"mysql", "host=h pasword=topsecret", "ERROR pasword: unknown key"},
      {"mysql", "host=h topsecret", "ERROR a word without '='"},
      {"mysql", "client_flags=4", "ERROR client_flags cannot be set"},
      {"mysql", "password='topsecret\"", "ERROR password: has both kinds of quotes"},
      {"mysql", "host=h;user=topsecret", "ERROR host: is no host"},
      {"mysql", "host=h ssl_ca=a;b", "ERROR ssl_ca: has a semicolon"},
      {"mysql", "connect_timeout=0", "ERROR connect_timeout: not a number of seconds, 1 to 3600"},
      {"pgsql", "password='topsecret", "ERROR a quoted value has no end"},
      {"pgsql", "host=h topsecret", "ERROR a word without '='"},
      {"pgsql", "postgresql://u:topsecret@h/d?sslmode=require",
       "ERROR a URI is not accepted: write host= dbname= user="},
      {"pgsql", "read_timeout=soon", "ERROR read_timeout: not a number of seconds, 1 to 3600"},
  };
  for (const auto& c : kCases) EXPECT_EQ(hosts(c.dialect, c.text), Texts{c.expected}) << c.text;
}

TEST(SqlHosts, InTurnWithPauses) {  // AUTH-18
  SqlHosts hosts(2, 7);
  Instant now{std::chrono::hours(1)};
  EXPECT_EQ(hosts.take(now), 1u);
  hosts.failed(1, now);
  EXPECT_EQ(hosts.take(now), 0u) << "another host";
  hosts.failed(0, now);
  EXPECT_EQ(hosts.take(now), std::nullopt) << "all wait";
  for (const int pause : {1, 5, 15, 15}) {
    EXPECT_EQ(hosts.take(now + std::chrono::milliseconds(pause * 1000 - 1)), std::nullopt) << pause;
    now += std::chrono::seconds(pause);
    ASSERT_TRUE(hosts.take(now) && hosts.take(now)) << pause;
    hosts.failed(0, now);
    hosts.failed(1, now);
  }
  hosts.connected(0);
  EXPECT_EQ(hosts.take(now), 0u);
  hosts.failed(0, now);
  EXPECT_EQ(hosts.take(now + std::chrono::seconds(1)), 0u) << "pauses begin anew";
}

TEST(SqlErrors, Faults) {
  for (unsigned number : {2002u, 2003u, 2006u, 2013u, 1040u, 1053u, 1213u})
    EXPECT_EQ(mysql_fault(number), SqlFault::Host) << number;
  for (unsigned number : {1045u, 1054u, 1064u, 1146u, 1142u}) EXPECT_EQ(mysql_fault(number), SqlFault::Query) << number;
  for (std::string_view state : {std::string_view(""), std::string_view("     "), std::string_view("\0\0\0\0\0", 5),
                                 std::string_view("57P01"), std::string_view("08006"), std::string_view("53300")})
    EXPECT_EQ(pgsql_fault(state), SqlFault::Host) << state;
  EXPECT_EQ(mysql_fault(1300), SqlFault::Value);
  EXPECT_TRUE(has_foreign({"", "a", "\xff"}));
  EXPECT_FALSE(has_foreign({"", "joe's"}));
  EXPECT_EQ(pgsql_fault("42703"), SqlFault::Query);
  EXPECT_EQ(pgsql_fault("22P02"), SqlFault::Query);
  EXPECT_EQ(pgsql_fault("22021"), SqlFault::Value);
  EXPECT_EQ(pgsql_fault("42P18"), SqlFault::Type);
}

TEST(SqlErrors, TextHasNoValues) {
  const auto text = [](std::string_view message) { return sql_error_text(message, {"joe", "topsecret", ""}); };
  EXPECT_EQ(text("Cannot execute query. Fatal error. ERROR:  invalid input syntax for type integer: \"joe\"\nCONTEXT:  "
                 "unnamed portal\n"),
            "invalid input syntax for type integer: '...'");
  EXPECT_EQ(
      text("You have an error in your SQL syntax; the right syntax to use near 'selec x where u='joe'' at line 1"),
      "You have an error in your SQL syntax; the right syntax to use");
  EXPECT_EQ(text("bad topsecret here"), "bad ... here");
  EXPECT_EQ(text("Unknown column 'nosuch' in 'SELECT'"), "Unknown column 'nosuch' in 'SELECT'");
  EXPECT_EQ(
      text("Cannot establish connection to the database.\nconnection to server at \"h\" failed: timeout expired\n"),
      "connection to server at \"h\" failed: timeout expired");
  EXPECT_EQ(text("Unknown data type."), "Unknown data type. (a column's type has no text form here: CAST it)");
}

}  // namespace
}  // namespace postern
