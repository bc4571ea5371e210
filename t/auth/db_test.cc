// Drivers that run in postern-auth: static and passwd-file.
#include "auth/db.h"

#include <gtest/gtest.h>

#include "auth/db_passwd.h"

#include <filesystem>

#include "auth/db_passwd_file.h"
#include "auth/fake_variables.h"
#include "auth/temp_dir.h"

namespace postern {
namespace {

DatabaseSettings settings(const char* driver, std::string args) {
  DatabaseSettings s;
  s.driver = driver;
  s.args = std::move(args);
  return s;
}

// "found PASSWORD field=value ..." or "not found" or "broken: why".
std::string show(const DbRow& row) {
  if (row.result == LookupResult::NotFound) return "not found";
  if (row.result == LookupResult::Broken) return "broken: " + row.why;
  std::string out =
      "found " +
      (row.password ? (row.password_literal ? "literal " : "") + std::string(row.password->reveal()) : "NULL");
  for (const auto& [name, value] : row.fields) out += " " + name + "=" + value;
  return out;
}

std::string ask(const DatabaseSettings& s, const std::string& user = "joe@example.org", DbKind kind = DbKind::Passdb) {
  auto db = find_driver(s.driver, kind)->open(s, kind);
  return db ? show((*db)->lookup(FakeVariables(user), nullptr)) : "ERROR " + db.error();
}

TEST(Drivers, Table) {
  EXPECT_EQ(find_driver("nonsense"), nullptr);
  EXPECT_NE(find_driver("static")->open, nullptr);
  EXPECT_EQ(find_driver("sql")->open, nullptr) << "look-ups block: not in postern-auth";
}

// --- static --------------------------------------------------------------------

TEST(Static, Arguments) {  // AUTH-15
  EXPECT_EQ(ask(settings("static", "proxy=y host=10.0.0.5 nopassword=y")),
            "found NULL proxy=y host=10.0.0.5 nopassword=y");
  EXPECT_EQ(ask(settings("static", "password={SHA}x nologin reason=no_%d")),
            "found {SHA}x nologin=yes reason=no_example.org");
  EXPECT_EQ(ask(settings("static", "host=%z")), "ERROR args: host: at position 1: unknown variable '%z'");
  EXPECT_EQ(ask(settings("static", "proxy=y userdb_home=/x")), "found NULL proxy=y userdb_home=/x");
}

TEST(Static, FieldsGroup) {
  DatabaseSettings s = settings("static", "");
  s.driver_fields = {{"proxy", ""}, {"host", "%d"}, {"nopassword", ""}};
  EXPECT_EQ(ask(s), "found NULL proxy= host=example.org nopassword=");
}

TEST(Static, PasswordMadeOfVariablesHasNoScheme) {
  EXPECT_EQ(ask(settings("static", "password=%u"), "{PLAIN}x"), "found literal {PLAIN}x");
  EXPECT_EQ(ask(settings("static", "password={PLAIN}%n")), "found {PLAIN}joe");
}

// --- passwd-file ---------------------------------------------------------------

struct LineCase {
  const char* line;
  const char* expected;  // "user|password|extra" or "-"
};
TEST(PasswdFile, Lines) {  // AUTH-16
  constexpr LineCase kCases[] = {
      {"joe:secret", "joe|secret|"},
      {"joe", "joe|NULL|"},
      {"joe:", "joe|NULL|"},
      {"joe:{PLAIN}a b:1:2:gecos:/home:/bin/sh:proxy=y host=2001:db8::1", "joe|{PLAIN}a b|proxy=y host=2001:db8::1"},
      {"joe:x::::::nologin reason=bye\r", "joe|x|nologin reason=bye"},
      {"joe:x:::::", "joe|x|"},
      {"# joe:x", "-"},
      {"", "-"},
      {":x", "-"},
      {"\r", "-"},
  };
  for (const LineCase& c : kCases) {
    const auto line = parse_passwd_line(c.line);
    EXPECT_EQ(line ? std::string(line->user) + "|" + std::string(line->password.value_or("NULL")) + "|" +
                         std::string(line->extra)
                   : "-",
              c.expected)
        << c.line;
  }
}

TEST(PasswdFile, Lookup) {
  TempDir dir;
  dir.write("users",
            "# comment\njoe@example.org:secret::::::proxy=y pass=x-%n userdb_home=/h "
            "nologin\njoe@example.org:second\nann:{SHA}y");
  const auto s = settings("passwd-file", "scheme=PLAIN " + dir.path("users"));
  EXPECT_EQ(ask(s), "found secret proxy=y pass=x-joe userdb_home=/h nologin=yes");
  EXPECT_EQ(ask(s, "ann"), "found {SHA}y");
  EXPECT_EQ(ask(s, "bob"), "not found");
  EXPECT_EQ(ask(s, "Ann"), "not found");
  EXPECT_EQ(find_driver("passwd-file")->describe(s, DbKind::Passdb)->default_scheme, "PLAIN");
}

TEST(PasswdFile, UsernameFormat) {
  TempDir dir;
  dir.write("users", "joe:secret\n");
  EXPECT_EQ(ask(settings("passwd-file", "username_format=%n " + dir.path("users"))), "found secret");
}

TEST(PasswdFile, PathWithVariables) {
  TempDir dir;
  std::filesystem::create_directory(dir.path("example.org"));
  dir.write("example.org/passwd", "joe@example.org:secret\n");
  const auto s = settings("passwd-file", dir.path("%d/passwd"));
  EXPECT_EQ(ask(s), "found secret");
  EXPECT_EQ(ask(s, "joe@other.example"), "not found") << "a domain without a file has no users";
  EXPECT_EQ(ask(s, "joe@../example.org"), "not found");
  EXPECT_EQ(ask(s, "joe@x/../example.org"), "not found");
  EXPECT_EQ(ask(s, "joe"), "not found");
  // AUTH-19: what filters made of a value is what must not lead elsewhere.
  const std::string all = "username_format=joe@example.org ";
  EXPECT_EQ(ask(settings("passwd-file", all + dir.path("%{domain | regexp('^x', '')}/passwd")), "joe@xexample.org"),
            "found secret");
  EXPECT_EQ(ask(settings("passwd-file", all + dir.path("example.org/%{domain | regexp('^x', '../')}/passwd")),
                "joe@xexample.org"),
            "not found");
  EXPECT_EQ(ask(settings("passwd-file", all + dir.path("%{domain | regexp('x', '/')}asswd")), "joe@example.orgxp"),
            "not found");
}

TEST(PasswdFile, UnreadableIsInternal) {
  TempDir dir;
  EXPECT_EQ(ask(settings("passwd-file", dir.path("none"))),
            "broken: open(" + dir.path("none") + ") failed: No such file or directory");
  EXPECT_EQ(ask(settings("passwd-file", dir.path(""))),
            "broken: read(" + dir.path("") + ") failed: not a regular file");
}

TEST(PasswdFile, Arguments) {
  EXPECT_EQ(ask(settings("passwd-file", "scheme=PLAIN")), "ERROR args = scheme=PLAIN: an absolute path is missing");
  EXPECT_EQ(ask(settings("passwd-file", "scheme=ROT13 /x")), "ERROR args: unknown scheme ROT13");
  EXPECT_EQ(ask(settings("passwd-file", "/x/%z")), "ERROR args: path at position 4: unknown variable '%z'");
}

TEST(PasswdFile, FieldWithUnknownVariableIsBroken) {
  TempDir dir;
  dir.write("users", "joe@example.org:x::::::pass=%z\n");
  EXPECT_EQ(ask(settings("passwd-file", dir.path("users"))),
            "broken: field pass: at position 1: unknown variable '%z'");
}

class PasswdFileReload : public testing::Test {
 protected:
  std::string ask(const std::string& user) { return show(db_->lookup(FakeVariables(user), nullptr)); }
  TempDir dir_;
  std::unique_ptr<Database> db_ = [this] {
    dir_.write("users", "joe:one\n");
    return std::move(*open_passwd_file(settings("passwd-file", dir_.path("users")), DbKind::Passdb));
  }();
};

TEST_F(PasswdFileReload, ReadAgainWhenChanged) {
  EXPECT_EQ(ask("joe"), "found one");
  dir_.write("users", "joe:two!\n");  // another size
  EXPECT_EQ(ask("joe"), "found two!");
  dir_.write("new", "joe:six!\n");  // same size, another inode
  std::filesystem::last_write_time(dir_.path("new"), std::filesystem::last_write_time(dir_.path("users")));
  std::filesystem::rename(dir_.path("new"), dir_.path("users"));
  EXPECT_EQ(ask("joe"), "found six!");
  dir_.write("users", "joe:four\n");  // same size and inode, another time
  std::filesystem::last_write_time(dir_.path("users"),
                                   std::filesystem::file_time_type::clock::now() + std::chrono::seconds(5));
  EXPECT_EQ(ask("joe"), "found four");
}

TEST_F(PasswdFileReload, GoneIsInternalUntilItIsBack) {
  EXPECT_EQ(ask("joe"), "found one");
  std::filesystem::remove(dir_.path("users"));
  EXPECT_EQ(ask("joe").substr(0, 7), "broken:");
  dir_.write("users", "joe:back\n");
  EXPECT_EQ(ask("joe"), "found back");
}

TEST_F(PasswdFileReload, ManyUsers) {
  std::string text;
  for (int i = 0; i < 20000; ++i) text += "user" + std::to_string(i) + ":pw" + std::to_string(i) + "::::::proxy=y\n";
  dir_.write("users", text);
  EXPECT_EQ(ask("user19999"), "found pw19999 proxy=y");
  EXPECT_EQ(ask("user20000"), "not found");
}

// --- userdbs: the same drivers, other fields ---------------------------------------

std::string ask_userdb(const DatabaseSettings& s, const std::string& user = "joe@example.org") {
  return ask(s, user, DbKind::Userdb);
}

TEST(Userdb, Table) {
  EXPECT_EQ(find_driver("prefetch"), nullptr) << "not a passdb";
  EXPECT_TRUE(find_driver("prefetch", DbKind::Userdb)->describe(settings("prefetch", ""), DbKind::Userdb)->prefetch);
  EXPECT_FALSE(find_driver("prefetch", DbKind::Userdb)->describe(settings("prefetch", "x"), DbKind::Userdb));
  EXPECT_EQ(find_driver("passwd", DbKind::Userdb)->open, nullptr) << "NSS blocks";
  EXPECT_EQ(find_driver("pam", DbKind::Userdb), nullptr);
}

TEST(Userdb, Static) {
  EXPECT_EQ(ask_userdb(settings("static", "uid=vmail gid=vmail home=/srv/%d/%n allow_all_users=yes password=x")),
            "found NULL uid=vmail gid=vmail home=/srv/example.org/joe");
}

TEST(Userdb, PasswdFile) {  // AUTH-16
  TempDir dir;
  dir.write("users",
            "joe@example.org:secret:1000:100:Joe:/home/joe:/bin/sh:proxy=y userdb_mail=maildir:~/%n "
            "userdb_quota\nann:::::\n");
  const auto s = settings("passwd-file", dir.path("users"));
  EXPECT_EQ(ask_userdb(s), "found NULL uid=1000 gid=100 home=/home/joe mail=maildir:~/joe quota=yes");
  EXPECT_EQ(ask_userdb(s, "ann"), "found NULL");
  EXPECT_EQ(ask_userdb(s, "bob"), "not found");
}

std::string ask_system(const std::string& args, const std::string& user) {
  auto db = open_passwd(settings("passwd", args), DbKind::Userdb);
  return db ? show((*db)->lookup(FakeVariables(user), nullptr)) : "ERROR " + db.error();
}

TEST(Userdb, Passwd) {
  EXPECT_TRUE(ask_system("", "root").starts_with("found NULL system_groups_user=root uid=0 gid=0 home=/"))
      << ask_system("", "root");
  EXPECT_TRUE(
      ask_system("username_format=%n", "root@example.org").starts_with("found NULL system_groups_user=root uid=0"));
  EXPECT_EQ(ask_system("", "no-such-user-here"), "not found");
  EXPECT_EQ(ask_system("blocking=no", "root"), "ERROR args = blocking=no: accepted: username_format=FORMAT");
  EXPECT_EQ(describe_passwd(settings("passwd", ""), DbKind::Userdb)->uses,
            (std::vector<VariableUse>{{Variable::User, ""}}));
}

TEST(RowBuilder, TwoPasswords) {  // AUTH-8
  RowBuilder row;
  row.add("password", "a");
  row.add("password_noscheme", "b");
  row.add("host", std::nullopt);
  const DbRow out = row.take();
  EXPECT_EQ(out.why, "Multiple password values not supported");
  EXPECT_EQ(show(out), "found a");
}

}  // namespace
}  // namespace postern
