// Local logins: the userdb chain behind a passdb chain that accepted, and the order for the mail program.
#include <fcntl.h>
#include <gtest/gtest.h>

#include "auth/mail_starts.h"
#include "auth/request.h"
#include "support/captured_log.h"

namespace postern {
namespace {

using namespace std::string_literals;

DatabaseSettings block(std::string driver, std::string args) {
  DatabaseSettings s;
  s.driver = std::move(driver);
  s.args = std::move(args);
  s.name = "block";
  return s;
}

std::string show(const StartMail& m) {
  std::string out = m.service + " " + m.user + " uid=" + m.uid + " gid=" + m.gid + " home=" + m.home;
  if (!m.groups_of.empty()) out += " groups=" + m.groups_of;
  for (const std::string& word : m.words) out += " '" + word + "'";
  for (const auto& [name, value] : m.environment) out += " " + name + "=" + value;
  return out;
}

class Local : public testing::Test {
 protected:
  Local() {
    conf_.settings.set(Key::auth_mechanisms, std::vector<std::string>{"plain"});
    ServiceSettings program;
    program.protocol = "imap";
    program.name = "imap";
    program.executable = "/bin/mailer -u %u %h";
    conf_.services.push_back(program);
  }
  void passdb(const std::string& fields) { conf_.passdbs = {block("static", "nopassword=y " + fields)}; }
  void userdb(DatabaseSettings s) { conf_.userdbs.push_back(std::move(s)); }

  AuthStep login(const std::string& service = "imap") {
    auto compiled = AuthSettings::compile(conf_);
    EXPECT_TRUE(compiled) << compiled.error();
    settings_ = std::make_unique<AuthSettings>(std::move(*compiled));
    AuthStart start;
    start.mechanism = "PLAIN";
    start.initial.emplace("\0joe@example.org\0secret"s);
    start.subject.service = service;
    start.subject.session = "SID";
    request_ = std::make_unique<AuthRequest>(*settings_, world_, std::move(start));
    return request_->begin();
  }
  // "Ok USER [fields] | order", or what it asks for.
  static std::string show(const AuthStep& step) {
    if (std::holds_alternative<AskLookup>(step)) return "lookup";
    const auto& f = std::get<Finished>(step);
    std::string out = (f.reply.result == AuthResult::Ok            ? "Ok "
                       : f.reply.result == AuthResult::Unavailable ? "Unavailable "
                                                                   : "other ") +
                      f.reply.user;
    for (const auto& [name, value] : f.reply.extra) out += " " + name + "=" + value;
    if (f.mail) out += " | " + postern::show(*f.mail);
    return out;
  }

  Configuration conf_;
  AuthRequest::World world_{[] { return uint64_t{1000}; }, [](uint64_t n) { return n - 1; }};
  std::unique_ptr<AuthSettings> settings_;
  std::unique_ptr<AuthRequest> request_;
  CapturedLog log_;
};

constexpr const char* kOrdered =
    "Ok joe@example.org | imap joe@example.org uid=5000 gid=5000 home=/srv/joe '/bin/mailer' '-u' 'joe@example.org' "
    "'/srv/joe'";

TEST_F(Local, OrdersTheProgram) {
  passdb("");
  userdb(block("static", "uid=5000 gid=5000 home=/srv/%n"));
  EXPECT_EQ(show(login()), kOrdered);
  EXPECT_EQ(show(login("pop3")), "Ok joe@example.org") << "no program: the login process decides";
}

TEST_F(Local, NeverForProxiedOrRefusedUsers) {  // AUTH-7
  userdb(block("static", "uid=5000 gid=5000 home=/srv/%n"));
  passdb("proxy=y host=192.0.2.1");
  EXPECT_EQ(show(login()), "Ok joe@example.org proxy=y host=192.0.2.1");
  passdb("nologin=y");
  EXPECT_EQ(show(login()), "Ok joe@example.org nologin=y");
}

TEST_F(Local, PrefetchedFieldsStayHere) {  // PRIV-13: not for the login process
  passdb("userdb_uid=5000 userdb_gid=5000 userdb_home=/srv/%n host=other");
  userdb(block("prefetch", ""));
  EXPECT_EQ(show(login()), "Ok joe@example.org host=other" + std::string(kOrdered).substr(18));
}

TEST_F(Local, PrefetchWithoutFieldsGoesOn) {
  passdb("");
  userdb(block("prefetch", ""));
  userdb(block("static", "uid=5000 gid=5000 home=/srv/%n"));
  EXPECT_EQ(show(login()), kOrdered);
}

TEST_F(Local, MailUidAndMailGid) {  // B22
  passdb("");
  conf_.settings.set(Key::mail_uid, "vmail"s);
  conf_.settings.set(Key::mail_gid, "mail"s);
  userdb(block("static", "home=/h mail=maildir:~ quota_rule=1G"));
  EXPECT_EQ(show(login()),
            "Ok joe@example.org | imap joe@example.org uid=vmail gid=mail home=/h '/bin/mailer' '-u' 'joe@example.org' "
            "'/h' mail=maildir:~ quota_rule=1G");
}

TEST_F(Local, WithoutAUid) {
  passdb("");
  userdb(block("static", "home=/h"));
  EXPECT_EQ(show(login()), "Unavailable joe@example.org");
  EXPECT_NE(log_.lines.find("the user has no uid, and mail_uid is not set"), std::string::npos) << log_.lines;
}

TEST_F(Local, BlocksAddUpAndMayBeSkipped) {
  passdb("");
  auto first = block("static", "uid=1 gid=1 home=/first");
  first.result_success = "continue-ok";
  userdb(first);
  auto second = block("static", "home=/second");
  second.result_success = "continue-ok";
  second.skip = "notfound";
  userdb(second);
  auto third = block("static", "home=/third");
  third.skip = "found";
  userdb(third);
  const std::string said = show(login());
  EXPECT_NE(said.find("uid=1 gid=1 home=/second"), std::string::npos) << said;
}

TEST_F(Local, DefaultsAndOverrides) {
  passdb("");
  auto s = block("static", "uid=7 home=/h");
  s.default_fields = {{"uid:default", "9"}, {"gid", "8"}};
  s.override_fields = {{"home", "/over/%n"}};
  userdb(s);
  const std::string said = show(login());
  EXPECT_NE(said.find("uid=7 gid=8 home=/over/joe"), std::string::npos) << said;
}

TEST_F(Local, UserOfTheUserdb) {
  passdb("");
  userdb(block("static", "uid=7 gid=7 user=jim"));
  EXPECT_EQ(show(login()).substr(0, 18), "Ok jim | imap jim ");
}

TEST_F(Local, LookupsThatBlock) {
  passdb("");
  userdb(block("static", "uid=7 gid=7"));
  conf_.userdbs[0].result_success = "continue-ok";
  userdb(block("passwd", ""));
  const AuthStep step = login();
  ASSERT_EQ(show(step), "lookup");
  const WorkerLookup& lookup = std::get<AskLookup>(step).what;
  EXPECT_TRUE(lookup.userdb);
  EXPECT_EQ(lookup.database, 1u);
  EXPECT_EQ(lookup.variables, (FieldList{{"user", "joe@example.org"}}));
  WorkerRow row;
  row.result = LookupResult::Found;
  row.row = {{"system_groups_user", "joe"}, {"home", "/home/joe"}};
  EXPECT_EQ(show(request_->take_row(row)),
            "Ok joe@example.org | imap joe@example.org uid=7 gid=7 home=/home/joe groups=joe '/bin/mailer' '-u' "
            "'joe@example.org' '/home/joe'");
}

TEST_F(Local, UnknownOrBrokenIsNeverAWrongPassword) {
  userdb(block("passwd", ""));
  WorkerRow unknown;
  unknown.result = LookupResult::NotFound;
  WorkerRow broken;
  broken.why = "no database";
  passdb("");
  ASSERT_EQ(show(login()), "lookup");
  EXPECT_EQ(show(request_->take_row(unknown)), "Unavailable joe@example.org");
  EXPECT_NE(log_.lines.find("user not found from any userdb"), std::string::npos) << log_.lines;
  login();
  EXPECT_EQ(show(request_->take_row(broken)), "Unavailable joe@example.org");
  passdb("host=other");  // moved away: refused with the referral
  login();
  EXPECT_EQ(show(request_->take_row(unknown)), "Ok joe@example.org host=other");
  login();
  EXPECT_EQ(show(request_->take_row(broken)), "Unavailable joe@example.org");
}

TEST_F(Local, WithoutAnyUserdb) {
  passdb("");
  EXPECT_EQ(show(login()), "Unavailable joe@example.org");
  EXPECT_NE(log_.lines.find("a local login needs a userdb"), std::string::npos) << log_.lines;
}

TEST_F(Local, TemplatesAreCheckedAtLoad) {
  conf_.services[0].executable = "/bin/mailer %z";
  passdb("");
  EXPECT_EQ(AuthSettings::compile(conf_).error(), "service.imap.executable: at position 1: unknown variable '%z'");
}

TEST(MailStarts, AnswersFindWhoAsked) {
  std::vector<StartMail> sent;
  size_t descriptors = 0;
  MailStarts starts([&](const StartMail& m, std::vector<Fd> with) {
    sent.push_back(m);
    descriptors += with.size();
  });
  std::string told;
  starts.start({}, {}, [&](const MailStarted& s, Fd) { told += "a" + std::to_string(s.pid); });
  starts.start({}, Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC)),
               [&](const MailStarted& s, Fd) { told += "b" + std::to_string(s.pid); });
  starts.start({}, {}, [&](const MailStarted& s, Fd) { told += "c" + std::to_string(s.pid) + s.why; });
  ASSERT_EQ(sent.size(), 3u);
  EXPECT_EQ(descriptors, 1u) << "a message goes with its order";
  starts.on(MailStarted{sent[1].id, 7, {}}, Fd());
  starts.on(MailStarted{sent[1].id, 8, {}}, Fd());
  starts.on(MailStarted{99, 9, {}}, Fd());
  starts.on(MailStarted{sent[0].id, 6, {}}, Fd());
  starts.fail_all(" gone");
  EXPECT_EQ(told, "b7a6c0 gone");
}

}  // namespace
}  // namespace postern
