// Lookups of users who do not log in: where does their mail go? (LMTP-3, LMTP-22, LMTP-23)
#include <gtest/gtest.h>

#include "auth/request.h"
#include "auth/temp_dir.h"
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

DatabaseSettings sql() {
  DatabaseSettings s = block("sql", "");
  s.driver_settings = {
      {"sql_driver", "sqlite"}, {"sql_connect", "/x"}, {"sql_password_query", "SELECT password FROM t WHERE u = '%u'"}};
  return s;
}

class Lookup : public testing::Test {
 protected:
  Lookup() { conf_.settings.set(Key::auth_mechanisms, std::vector<std::string>{"plain"}); }

  void passdb(DatabaseSettings s) { conf_.passdbs.push_back(std::move(s)); }
  void passdb(const std::string& args) { passdb(block("static", args)); }
  void userdb(DatabaseSettings s) { conf_.userdbs.push_back(std::move(s)); }
  void program(const std::string& words = "/bin/deliver -f %{sender} -d %u -a %{recipient}") {
    ServiceSettings s;
    s.protocol = "lmtp";
    s.name = "lmtp";
    s.executable = words;
    conf_.services.push_back(s);
  }

  AuthStep ask(UserLookup question) {
    auto compiled = AuthSettings::compile(conf_);
    EXPECT_TRUE(compiled) << compiled.error();
    settings_ = std::make_unique<AuthSettings>(std::move(*compiled));
    question.id = 7;
    question.subject.service = "lmtp";
    question.subject.session = "SID";
    question.subject.no_penalty = true;
    question.subject.remote = {*IpAddress::parse("192.0.2.7"), 4000};
    request_ = std::make_unique<AuthRequest>(*settings_, world_, std::move(question));
    return request_->begin();
  }
  AuthStep ask(const std::string& user = "joe@example.org") {
    UserLookup question;
    question.user = user;
    return ask(question);
  }
  static UserLookup to_deliver() {
    UserLookup question;
    question.user = "joe@example.org";
    question.deliver = true;
    question.sender = "a b@c";
    question.recipient = "joe+box@example.org";
    question.subject.max_userip = 10;
    return question;
  }

  // "Ok USER fields here | order", or what it asks for.
  static std::string show(const AuthStep& step) {
    if (std::holds_alternative<AskLookup>(step)) return "lookup";
    const auto& f = std::get<Finished>(step);
    EXPECT_EQ(f.reply.id, 7u);
    EXPECT_EQ(f.when.kind, ReplyTime::Kind::Now) << "nobody guesses";
    static constexpr std::pair<AuthResult, const char*> kNames[] = {
        {AuthResult::Ok, "Ok"}, {AuthResult::Failed, "Failed"}, {AuthResult::Unavailable, "Unavailable"}};
    std::string out = "other";
    for (const auto& [result, name] : kNames)
      if (f.reply.result == result) out = name;
    out += " " + f.reply.user;
    for (const auto& [name, value] : f.reply.extra) out += " " + name + "=" + value;
    if (f.reply.is_local) out += " here";
    if (!f.mail) return out;
    out += " | " + f.mail->service + " " + f.mail->user + " uid=" + f.mail->uid;
    for (const std::string& word : f.mail->words) out += " '" + word + "'";
    return out + (f.mail->delivery ? " delivery" : "");
  }

  Configuration conf_;
  AuthRequest::World world_{[] { return uint64_t{1000}; }, [](uint64_t n) { return n - 1; }};
  std::unique_ptr<AuthSettings> settings_;
  std::unique_ptr<AuthRequest> request_;
  CapturedLog log_;
};

TEST_F(Lookup, NeedsNoPassword) {
  passdb("password=secret proxy=y host=192.0.2.1");
  EXPECT_EQ(show(ask()), "Ok joe@example.org proxy=y host=192.0.2.1");
}

TEST_F(Lookup, NamesAreNormalized) {
  passdb("proxy=y host=192.0.2.1");
  EXPECT_EQ(show(ask("Joe@Example.ORG")), "Ok joe@example.org proxy=y host=192.0.2.1");
}

TEST_F(Lookup, MasterUsersAreNone) {
  conf_.settings.set(Key::auth_master_user_separator, "*"s);
  conf_.settings.set(Key::auth_username_chars, ""s);
  passdb("proxy=y host=192.0.2.1");
  EXPECT_EQ(show(ask("joe*admin")), "Ok joe*admin proxy=y host=192.0.2.1") << "an address like any other";
}

TEST_F(Lookup, NamesThatCannotBe) {
  passdb("proxy=y host=192.0.2.1");
  EXPECT_EQ(show(ask("a%b")).substr(0, 6), "Failed");
  EXPECT_EQ(show(ask("")).substr(0, 6), "Failed");
  program();
  userdb(block("static", "uid=5 gid=5"));
  EXPECT_EQ(show(ask("a%b")).substr(0, 6), "Failed") << "neither there nor here";
}

TEST_F(Lookup, WhoMayNotLogInGetsMail) {
  TempDir dir;
  dir.write("deny", "joe@example.org:\n");
  auto deny = block("passwd-file", dir.path("deny"));
  deny.deny = true;
  passdb(deny);
  passdb("proxy=y host=192.0.2.1 allow_nets=10.0.0.0/8");
  EXPECT_EQ(show(ask()), "Ok joe@example.org proxy=y host=192.0.2.1");
}

TEST_F(Lookup, NoauthenticateGoesOn) {
  passdb("noauthenticate=y proxy=y");
  passdb("host=192.0.2.1");
  EXPECT_EQ(show(ask()), "Ok joe@example.org proxy=y host=192.0.2.1");
}

TEST_F(Lookup, TheClientsForwardFieldsAreThere) {  // LMTP-12
  passdb("proxy=y host=%{passdb:forward_host}");
  UserLookup question;
  question.user = "joe";
  question.subject.forward = {{"host", "192.0.2.9"}};
  const std::string said = show(ask(question));
  EXPECT_NE(said.find("proxy=y host=192.0.2.9"), std::string::npos) << said;
}

TEST_F(Lookup, UnknownUsers) {  // LMTP-3
  TempDir dir;
  dir.write("users", "someone:{PLAIN}x\n");
  passdb(block("passwd-file", dir.path("users")));
  EXPECT_EQ(show(ask()), "Failed joe@example.org");
  userdb(block("passwd-file", dir.path("users")));
  EXPECT_EQ(show(ask()), "Failed joe@example.org") << "no program: a userdb says nothing";
  program();
  EXPECT_EQ(show(ask()), "Failed joe@example.org");
}

TEST_F(Lookup, ABrokenDatabaseIsNoUnknownUser) {  // LMTP-23
  TempDir dir;
  passdb(block("passwd-file", dir.path("missing")));
  EXPECT_EQ(show(ask()), "Unavailable joe@example.org");
  program();
  userdb(block("static", "uid=5 gid=5"));
  EXPECT_EQ(show(ask()), "Unavailable joe@example.org") << "nor a user of this host";
}

TEST_F(Lookup, AWorkersAnswer) {
  passdb(sql());
  WorkerRow row;
  ASSERT_EQ(show(ask()), "lookup");
  row.result = LookupResult::NotFound;
  EXPECT_EQ(show(request_->take_row(row)), "Failed joe@example.org");
  ask();
  row.result = LookupResult::Broken;
  EXPECT_EQ(show(request_->take_row(row)), "Unavailable joe@example.org");
  ask();
  row.result = LookupResult::Found;
  row.row = {{"proxy", "y"}, {"host", "192.0.2.1"}};
  EXPECT_EQ(show(request_->take_row(row)), "Ok joe@example.org proxy=y host=192.0.2.1");
}

TEST_F(Lookup, TimeIsUp) {
  passdb(sql());
  ASSERT_EQ(show(ask()), "lookup");
  EXPECT_EQ(show(request_->give_up("Timed out")), "Unavailable joe@example.org");
}

// --- users of this host ------------------------------------------------------------------

TEST_F(Lookup, BelongsToThisHost) {
  program();
  passdb("nopassword=y");
  userdb(block("static", "uid=5000 gid=5000 home=/srv/%n"));
  EXPECT_EQ(show(ask()), "Ok joe@example.org here") << "no order yet";
}

TEST_F(Lookup, WhoIsInNoPassdbMayBeHere) {  // LMTP-3
  TempDir dir;
  dir.write("none", "");
  program();
  passdb(block("passwd-file", dir.path("none")));
  userdb(block("static", "uid=5000 gid=5000"));
  EXPECT_EQ(show(ask()), "Ok joe@example.org here");
}

TEST_F(Lookup, WhoIsProxiedIsNotHere) {
  program();
  passdb("proxy=y host=192.0.2.1");
  userdb(block("static", "uid=5000 gid=5000"));
  EXPECT_EQ(show(ask()), "Ok joe@example.org proxy=y host=192.0.2.1");
}

TEST_F(Lookup, LocalOnlyAsksNoPassdb) {  // LMTP-2
  program();
  passdb("proxy=y host=192.0.2.1");
  userdb(block("static", "uid=5000 gid=5000"));
  UserLookup question;
  question.user = "joe@example.org";
  question.local_only = true;
  EXPECT_EQ(show(ask(question)), "Ok joe@example.org here");
  conf_.services.clear();
  EXPECT_EQ(show(ask(question)), "Failed joe@example.org") << "no program";
}

TEST_F(Lookup, WithoutAnyUserdbItIsOursToMend) {
  program();
  passdb("nopassword=y");
  EXPECT_EQ(show(ask()), "Unavailable joe@example.org");
  EXPECT_NE(log_.lines.find("a local login needs a userdb"), std::string::npos) << log_.lines;
}

TEST_F(Lookup, AUserdbThatIsBroken) {
  TempDir dir;
  program();
  passdb("nopassword=y");
  userdb(block("passwd-file", dir.path("missing")));
  EXPECT_EQ(show(ask()), "Unavailable joe@example.org");
}

// --- deliveries --------------------------------------------------------------------------

TEST_F(Lookup, OrdersTheDelivery) {
  program();
  passdb("nopassword=y");
  userdb(block("static", "uid=5000 gid=5000 home=/srv/%n"));
  const AuthStep step = ask(to_deliver());
  EXPECT_EQ(show(step),
            "Ok joe@example.org here | lmtp joe@example.org uid=5000 '/bin/deliver' '-f' 'a b@c' '-d' "
            "'joe@example.org' '-a' 'joe+box@example.org' delivery");
  const StartMail& mail = *std::get<Finished>(step).mail;
  EXPECT_EQ(mail.home, "/srv/joe");
  EXPECT_EQ(mail.session, "SID");
  EXPECT_EQ(mail.max_userip, 10u) << "LMTP-47";
}

TEST_F(Lookup, ADeliveryForWhoIsNotHereAnyMore) {
  program();
  passdb("proxy=y host=192.0.2.1");
  userdb(block("static", "uid=5000 gid=5000"));
  EXPECT_EQ(show(ask(to_deliver())), "Ok joe@example.org proxy=y host=192.0.2.1") << "no order";
}

TEST_F(Lookup, ADeliveryWithoutAUid) {
  program();
  passdb("nopassword=y");
  userdb(block("static", "home=/h"));
  EXPECT_EQ(show(ask(to_deliver())), "Unavailable joe@example.org");
  EXPECT_NE(log_.lines.find("the user has no uid, and mail_uid is not set"), std::string::npos) << log_.lines;
}

TEST_F(Lookup, AProgramThatCouldNotBeStarted) {
  program();
  passdb("nopassword=y");
  userdb(block("static", "uid=5000 gid=5000"));
  ask(to_deliver());
  MailStarted failed;
  failed.why = "Too many concurrent deliveries for user";
  failed.too_many = true;
  const Finished finished = request_->mail_failed(failed);
  EXPECT_EQ(finished.reply.result, AuthResult::TooMany);
  EXPECT_EQ(finished.reply.reason, failed.why);
  EXPECT_EQ(finished.when.kind, ReplyTime::Kind::Now);
  ask(to_deliver());
  failed.too_many = false;
  EXPECT_EQ(request_->mail_failed(failed).reply.result, AuthResult::Unavailable);
}

}  // namespace
}  // namespace postern
