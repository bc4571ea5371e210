// One authentication from mechanism to reply, with what it asks answered by the test.
#include "auth/request.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "auth/temp_dir.h"
#include "crypt/digest.h"
#include "support/captured_log.h"

namespace postern {
namespace {

using namespace std::string_literals;

DatabaseSettings passdb(std::string driver, std::string args) {
  DatabaseSettings s;
  s.driver = std::move(driver);
  s.args = std::move(args);
  s.name = "passdb 1";
  s.where = "test:1";
  return s;
}

std::string show(AuthResult r) {
  static constexpr const char* kNames[] = {"Ok",      "Failed",      "AuthzFailed",  "Disabled",
                                           "Expired", "Unavailable", "BadMechanism", "BadEncoding"};
  return kNames[static_cast<size_t>(r)];
}

// A finished request in one line: RESULT user[/master] [reason] fields -> addresses pass=... @delay
std::string show(const AuthStep& step) {
  static constexpr const char* kTimes[] = {"", " @failure", " @internal", " @until "};
  if (const auto* s = std::get_if<AskResponse>(&step))
    return "challenge '" + s->challenge + "'" + kTimes[static_cast<size_t>(s->when.kind)];
  if (std::holds_alternative<AskLookup>(step)) return "lookup";
  if (std::holds_alternative<AskAsync>(step)) return "ask";
  if (std::holds_alternative<AskPolicy>(step)) return "policy";
  if (const auto* s = std::get_if<Tarpit>(&step)) return "tarpit " + std::to_string(s->time.count());
  if (std::holds_alternative<AskVerify>(step)) return "verify";
  if (const auto* s = std::get_if<AskAddresses>(&step))
    return "resolve " + s->name + " in " + std::to_string(s->timeout.count());
  const auto& f = std::get<Finished>(step);
  std::string out = show(f.reply.result) + " " + f.reply.user;
  if (!f.reply.master_user.empty()) out += "/" + f.reply.master_user;
  if (!f.reply.reason.empty()) out += " (" + f.reply.reason + ")";
  for (const auto& [name, value] : f.reply.extra) out += " " + name + "=" + value;
  for (const IpAddress& ip : f.reply.addresses) out += " ->" + ip.text();
  if (f.reply.password) out += " pass=" + std::string(f.reply.password->reveal());
  out += kTimes[static_cast<size_t>(f.when.kind)];
  if (f.when.kind == ReplyTime::Kind::Until) out += std::to_string(f.when.until);
  return out;
}

class Request : public testing::Test {
 protected:
  Request() {
    conf_.settings.set(Key::auth_mechanisms, std::vector<std::string>{"plain", "login"});
    conf_.settings.set(Key::auth_verbose, true);
    conf_.settings.set(Key::auth_master_user_separator, std::string("*"));
  }

  void add(DatabaseSettings s) { conf_.passdbs.push_back(std::move(s)); }
  // A passwd-file block of these lines, PLAIN by default.
  DatabaseSettings users(const std::string& lines, const std::string& options = "scheme=PLAIN ") {
    const std::string name = "users" + std::to_string(files_++);
    dir_.write(name, lines);
    return passdb("passwd-file", options + dir_.path(name));
  }

  AuthStart start(const std::string& mechanism, std::optional<std::string> initial) {
    AuthStart out;
    out.id = 7;
    out.mechanism = mechanism;
    if (initial) out.initial.emplace(*initial);
    out.subject.service = "imap";
    out.subject.session = "SID";
    out.subject.remote = {*IpAddress::parse("192.0.2.1"), 4000};
    out.subject.real_remote = {*IpAddress::parse("127.0.0.9"), 4001};
    out.subject.local = out.subject.real_local = {*IpAddress::parse("192.0.2.99"), 143};
    return out;
  }
  AuthRequest& begin(AuthStart message) {
    auto compiled = AuthSettings::compile(conf_);
    EXPECT_TRUE(compiled) << compiled.error();
    if (settings_ == nullptr) settings_ = std::make_unique<AuthSettings>(std::move(*compiled));
    request_ = std::make_unique<AuthRequest>(*settings_, world_, std::move(message));
    step_ = request_->begin();
    return *request_;
  }
  std::string login(const std::string& user, const std::string& password, const std::string& authzid = "") {
    begin(start("PLAIN", authzid + "\0"s + user + "\0"s + password));
    return show(step_);
  }

  Configuration conf_;
  TempDir dir_;
  int files_ = 0;
  AuthRequest::World world_{[] { return uint64_t{1000}; }, [](uint64_t n) { return n - 1; }};
  std::unique_ptr<AuthSettings> settings_;
  std::unique_ptr<AuthRequest> request_;
  AuthStep step_;
  CapturedLog log_;
};

// --- the plain way -----------------------------------------------------------------

TEST_F(Request, StaticProxy) {
  add(passdb("static", "proxy=y host=10.0.0.5 nopassword=y"));
  EXPECT_EQ(login("Joe", "secret"), "Ok joe proxy=y host=10.0.0.5 ->10.0.0.5 pass=secret");
  EXPECT_EQ(log_.lines, "");
}

TEST_F(Request, OddTlsFieldsAreWarnedOfWhenItMayBe) {  // DECISIONS 1
  add(passdb("static", "proxy=y host=10.0.0.5 nopassword=y ssl=no"));
  std::string asked;
  world_.may_warn = [&](const std::string& user) { return std::exchange(asked, user) != user; };
  login("Joe", "secret");
  login("Joe", "secret");
  EXPECT_EQ(asked, "joe");
  EXPECT_EQ(log_.lines,
            "Warning: proxy(joe,192.0.2.1,<SID>): ssl=no or starttls=no still means TLS; remove the field for none\n");
}

TEST_F(Request, PasswdFile) {
  add(users("joe:secret::::::proxy=y host=2001:db8::1 port=1143 pass=p-%w reason=hello\n"));
  EXPECT_EQ(login("joe", "secret"),
            "Ok joe (hello) proxy=y host=2001:db8::1 port=1143 reason=hello ->2001:db8::1 pass=p-secret");
  EXPECT_EQ(login("joe", "Secret"), "Failed joe @failure");
  EXPECT_EQ(login("ann", "secret"), "Failed ann @failure");
  EXPECT_EQ(log_.lines,
            "Info: passwd-file(joe,192.0.2.1,<SID>): Password mismatch\nInfo: passwd-file(ann,192.0.2.1,<SID>): "
            "unknown user\n");
}

TEST_F(Request, LoginMechanism) {
  add(users("joe:secret\n"));
  begin(start("LOGIN", std::nullopt));
  EXPECT_EQ(show(step_), "challenge 'Username:'");
  EXPECT_EQ(show(request_->respond(SecretString("joe"))), "challenge 'Password:'");
  EXPECT_EQ(show(request_->respond(SecretString("secret"))), "Ok joe");
}

TEST_F(Request, MechanismNotOffered) {
  add(users("joe:secret\n"));
  conf_.settings.set(Key::auth_mechanisms, std::vector<std::string>{"login"});
  EXPECT_EQ(login("joe", "secret"), "BadMechanism ");
}

TEST_F(Request, PlainSyntaxIsAnOrdinaryFailure) {  // IMAP-80
  add(users("joe:secret\n"));
  begin(start("PLAIN", ""));
  EXPECT_EQ(show(step_), "Failed  @failure");
}

TEST_F(Request, NamesAndPasswordsThatAreRefused) {  // AUTH-6, AUTH-11
  add(passdb("static", "nopassword=y"));
  EXPECT_EQ(login("joe'", "x"), "Failed joe' @failure");
  EXPECT_EQ(login("", "x"), "Failed  @failure");
  for (const std::string bad : {"a\tb", "a\rb", "a\nb",
                                "a\x01"
                                "b"})
    EXPECT_EQ(login("joe", bad), "Failed joe @failure");
  EXPECT_NE(log_.lines.find("plain(joe,192.0.2.1,<SID>): Attempted login with password having illegal chars"),
            std::string::npos);
}

TEST_F(Request, VerboseCanBeOff) {
  conf_.settings.set(Key::auth_verbose, false);
  add(users("joe:secret\n"));
  login("joe", "x");
  EXPECT_EQ(log_.lines, "");
}

TEST_F(Request, VerbosePasswords) {  // AUTH-49
  conf_.settings.set(Key::auth_verbose_passwords, std::string("sha1:6"));
  add(users("joe:secret\n"));
  login("joe", "wrong");
  EXPECT_EQ(log_.lines, "Info: passwd-file(joe,192.0.2.1,<SID>): Password mismatch (SHA1 of given password: a4b48a)\n");
}

// --- tokens ------------------------------------------------------------------------

// DECISIONS 9: a token is checked as the stored password.
TEST_F(Request, Tokens) {
  conf_.settings.set(Key::auth_mechanisms, std::vector<std::string>{"xoauth2", "oauthbearer"});
  add(users("joe:righttoken::::::proxy=y host=10.0.0.5 proxy_mech=%m\n"));
  begin(start("XOAUTH2", "user=joe\1auth=Bearer righttoken\1\1"));
  EXPECT_EQ(show(step_), "Ok joe proxy=y host=10.0.0.5 proxy_mech=XOAUTH2 ->10.0.0.5 pass=righttoken");
  begin(start("OAUTHBEARER", "n,a=joe,\1auth=Bearer righttoken\1\1"));
  EXPECT_EQ(show(step_), "Ok joe proxy=y host=10.0.0.5 proxy_mech=OAUTHBEARER ->10.0.0.5 pass=righttoken");
}

// The failure is told in a challenge first, and that one waits (RFC 7628 section 3.2.3): wrong token and unknown
// user are the same.
TEST_F(Request, TokenRefused) {
  conf_.settings.set(Key::auth_mechanisms, std::vector<std::string>{"xoauth2", "oauthbearer"});
  add(users("joe:righttoken\n"));
  for (const std::string user : {"joe", "ann"}) {
    begin(start("XOAUTH2", "user=" + user + "\1auth=Bearer x\1\1"));
    EXPECT_EQ(show(step_), R"(challenge '{"status":"401","schemes":"bearer","scope":"mail"}' @failure)");
    EXPECT_EQ(show(request_->respond(SecretString(""))), "Failed " + user);
    begin(start("OAUTHBEARER", "n,a=" + user + ",\1auth=Bearer x\1\1"));
    EXPECT_EQ(show(step_), R"(challenge '{"status":"invalid_token"}' @failure)");
    EXPECT_EQ(show(request_->respond(SecretString("\1"))), "Failed " + user);
  }
  begin(start("XOAUTH2", "user=joe"));
  EXPECT_EQ(show(step_), "Failed  @failure");
}

// --- proofs ------------------------------------------------------------------------

std::string hmac_md5_hex(std::string_view key, std::string_view text) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_md5(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
       text.size(), out, &size);
  return hex_encode({reinterpret_cast<char*>(out), size});
}

class Proofs : public Request {
 protected:
  Proofs() { conf_.settings.set(Key::auth_mechanisms, std::vector<std::string>{"cram-md5", "scram-sha-256"}); }
  std::string cram(const std::string& user, const std::string& password) {
    begin(start("CRAM-MD5", std::nullopt));
    const std::string challenge = std::get<AskResponse>(step_).challenge;
    step_ = request_->respond(SecretString(user + " " + hmac_md5_hex(password, challenge)));
    return show(step_);
  }
};

TEST_F(Proofs, CramMd5) {  // AUC-24: no password for the backend but a field `pass`
  add(
      users("joe:{PLAIN}secret::::::proxy=y host=10.0.0.5\nann:secret::::::proxy=y host=10.0.0.5 "
            "pass=backend\nbob:{SHA512-CRYPT}$6$x\nsid:\n"));
  EXPECT_EQ(cram("joe", "secret"), "Ok joe proxy=y host=10.0.0.5 ->10.0.0.5");
  EXPECT_EQ(cram("ann", "secret"), "Ok ann proxy=y host=10.0.0.5 ->10.0.0.5 pass=backend");
  EXPECT_EQ(log_.lines, "");
  EXPECT_EQ(cram("joe", "Secret"), "Failed joe @failure");
  EXPECT_EQ(cram("eve", "secret"), "Failed eve @failure");
  EXPECT_EQ(cram("bob", "secret"), "Failed bob @failure");
  EXPECT_EQ(cram("sid", ""), "Failed sid @failure");
  EXPECT_EQ(log_.lines,
            "Info: cram-md5(joe,192.0.2.1,<SID>): Password mismatch\n"
            "Info: passwd-file(eve,192.0.2.1,<SID>): unknown user\n"
            "Info: passwd-file(bob,192.0.2.1,<SID>): Requested CRAM-MD5 scheme, but we have only SHA512-CRYPT\n"
            "Info: passwd-file(sid,192.0.2.1,<SID>): Requested CRAM-MD5 scheme, but we have a NULL password\n");
}

TEST_F(Proofs, NopasswordProvesNothing) {
  add(passdb("static", "nopassword=y"));
  EXPECT_EQ(cram("joe", ""), "Failed joe @failure");
}

// AUTH-27: a scheme that does not fit rolls on to the next database.
TEST_F(Proofs, NextDatabaseWithAUsablePassword) {
  add(users("joe:{SHA}x\n"));
  add(users("joe:secret\n"));
  EXPECT_EQ(cram("joe", "secret"), "Ok joe");
}

// AUTH-3b: continue-ok vouches for later databases, not for a proof that nobody can check.
TEST_F(Proofs, ContinueOkIsNoProof) {
  auto first = users("ann:secret\n");
  first.result_failure = "continue-ok";
  add(first);
  add(users("joe:other\n"));
  EXPECT_EQ(cram("joe", "anything"), "Failed joe @failure");
}

TEST_F(Proofs, NodelayCounts) {  // FLD nodelay: 2.4
  add(users("joe:secret::::::nodelay=y\n"));
  EXPECT_EQ(cram("joe", "wrong"), "Failed joe");
}

// Recorded, imap-master-cram: whoever proves a master's password gets no further; others learn nothing of users.
TEST_F(Proofs, Masters) {
  auto masters = users("boss:masterpw\n");
  masters.master = true;
  masters.result_success = "continue";
  add(masters);
  add(users("joe:secret\n"));
  EXPECT_EQ(cram("joe*boss", "masterpw"), "AuthzFailed joe/boss @failure");
  EXPECT_EQ(cram("nobody*boss", "masterpw"), "AuthzFailed nobody/boss @failure");
  EXPECT_EQ(cram("joe*boss", "secret"), "Failed boss @failure");
  EXPECT_EQ(cram("joe*eve", "masterpw"), "Failed eve @failure");
}

TEST_F(Proofs, ScramOfUsersWhoAreNot) {
  add(users("joe:secret\nbob:{SHA512-CRYPT}$6$x\n"));
  for (const std::string user : {"joe", "eve", "bob"}) {
    begin(start("SCRAM-SHA-256", "n,,n=" + user + ",r=abcdefgh"));
    EXPECT_EQ(show(step_).substr(0, 21), "challenge 'r=abcdefgh") << user;
    EXPECT_EQ(show(request_->respond(SecretString("c=biws,r=abcdefgh,p=YWJj"))), "Failed " + user + " @failure");
  }
}

TEST_F(Proofs, BrokenDatabaseIsNoClaim) {
  add(passdb("passwd-file", dir_.path(".")));
  EXPECT_EQ(cram("joe", "secret"), "Unavailable joe @internal");
}

// What a database says of a user whom it refuses is forgotten, the name that he asks for included.
TEST_F(Request, ARefusalLeavesNoNameBehind) {
  add(users("joe:other::::::login_user=ann host=10.0.0.1\n"));
  add(users("joe:secret\n"));
  EXPECT_EQ(login("joe", "secret"), "Ok joe");
}

// --- fields --------------------------------------------------------------------------

struct FieldCase {
  const char* fields;
  const char* expected;
};
TEST_F(Request, Fields) {
  constexpr FieldCase kCases[] = {
      {"nologin=no reason=x", "Ok joe@d (x) nologin=no reason=x"},
      {"nologin host=mail.example", "Ok joe@d nologin=yes host=mail.example"},
      {"user=new", "Ok new"},
      {"username=new", "Ok new@d"},
      {"domain=new", "Ok joe@new"},
      {"user=", "Failed joe@d @failure"},
      {"login_user=other", "Ok other/joe@d"},
      {"allow_nets=192.0.2.0/24", "Ok joe@d"},
      {"allow_nets=127.0.0.0/8", "Failed joe@d @failure"},
      {"allow_real_nets=127.0.0.0/8", "Ok joe@d"},
      {"allow_nets=127.0.0.0/8 nologin host=x reason=sorry", "Failed joe@d (sorry) @failure"},
      {"fail", "Failed joe@d @failure"},
      {"fail code=user_disabled reason=gone", "Disabled joe@d (gone) @failure"},
      {"fail code=temp_fail", "Unavailable joe@d @internal"},
      {"fail code=authz_fail", "AuthzFailed joe@d @failure"},
      {"fail code=pass_expired reason=renew", "Expired joe@d (renew) @failure"},
      {"fail code=invalid_base64", "BadEncoding joe@d @failure"},
      {"fail code=nonsense", "Failed joe@d @failure"},
      {"nologin code=temp_fail", "Ok joe@d nologin=yes code=temp_fail"},
      {"fail nodelay", "Failed joe@d"},
      {"allow_real_nets=192.0.2.0/24", "Failed joe@d @failure"},
      {"allow_nets=192.0.2.0/33,192.0.2.1", "Ok joe@d"},
      {"allow_nets=local", "Failed joe@d @failure"},
      {"user:default=x domain:protected=y username:remove", "Ok joe@d"},
      {"proxy host=10.0.0.1 pass:protected=%w pass:default=b", "Ok joe@d proxy=yes host=10.0.0.1 ->10.0.0.1 pass=x"},
      {"proxy host=10.0.0.1 pass=b pass:remove", "Ok joe@d proxy=yes host=10.0.0.1 ->10.0.0.1 pass=x"},
      {"delay_until=1005+3", "Ok joe@d @until 1007"},
      {"delay_until=999", "Ok joe@d"},
      {"delay_until=1005 nologin", "Ok joe@d nologin=yes @until 1005"},
      {"delay_until=1301", "Failed joe@d @failure"},
      {"delay_until=1000+x", "Failed joe@d @failure"},
      {"a=1 a:remove b:default=2 b:protected=3", "Ok joe@d b=2"},
      {"event_x=1 anything=else", "Ok joe@d event_x=1 anything=else"},
  };
  for (const FieldCase& c : kCases) {
    conf_.passdbs.clear();
    settings_.reset();
    add(users("joe@d:x::::::"s + c.fields + "\n"));
    EXPECT_EQ(login("joe@d", "x"), c.expected) << c.fields;
  }
}

// APR-5: what a trusted peer forwarded is kept although a database fails.
TEST_F(Request, ForwardedFieldsOutliveAFailedDatabase) {
  add(users("joe:other::::::forward_site=south\n"));
  add(users("joe:x\n"));
  auto message = start("PLAIN", "\0joe\0x"s);
  message.subject.forward = {{"site", "north"}, {"nopassword", "y"}};  // POP-33: the prefix makes it harmless
  begin(std::move(message));
  EXPECT_EQ(show(step_), "Ok joe forward_site=north forward_nopassword=y");
}

TEST_F(Request, NodelayOfAWrongPasswordWorks) {  // NOTES, do better
  add(users("joe:secret::::::nodelay reason=hidden code=user_disabled\n"));
  EXPECT_EQ(login("joe", "wrong"), "Failed joe") << "neither reason nor code tell a guesser that the user exists";
}

TEST_F(Request, NopasswordWithAPasswordIsIgnored) {
  add(users("joe:secret::::::nopassword\nann:::::::nopassword\n"));
  EXPECT_EQ(login("joe", "other"), "Failed joe @failure");
  EXPECT_NE(log_.lines.find("Error: passwd-file(joe,192.0.2.1,<SID>): nopassword set but password is non-empty"),
            std::string::npos);
  EXPECT_EQ(login("ann", "any"), "Ok ann");
}

TEST_F(Request, MissingPasswordNeverMatches) {
  add(users("joe::::::::\n"));
  EXPECT_EQ(login("joe", ""), "Failed joe @failure");
}

TEST_F(Request, DefaultAndOverrideFields) {
  auto s = users("joe:x::::::host=10.0.0.1\nann:x::::::port=99\n");
  s.default_fields = {{"proxy", "y"}, {"host", "10.0.0.9"}, {"reason", "for-%u"}};
  s.override_fields = {{"port", "143"}};
  add(s);
  EXPECT_EQ(login("joe", "x"), "Ok joe (for-joe) proxy=y host=10.0.0.1 reason=for-joe port=143 ->10.0.0.1 pass=x");
  EXPECT_EQ(login("ann", "x"), "Ok ann (for-ann) proxy=y host=10.0.0.9 reason=for-ann port=143 ->10.0.0.9 pass=x");
}

TEST_F(Request, ForwardedFieldsAreThereBefore) {
  add(users("joe:x::::::host=%{passdb:forward_site}\n"));
  auto message = start("PLAIN", "\0joe\0x"s);
  message.subject.forward = {{"site", "north"}};
  begin(std::move(message));
  EXPECT_EQ(show(step_), "Ok joe forward_site=north host=north");
}

// --- chains --------------------------------------------------------------------------

TEST_F(Request, FailedDatabasesRollBack) {  // FLD-3
  auto first = users("joe:other::::::host=10.0.0.1 user=wrong\n");
  add(first);
  add(users("joe:secret::::::proxy=y host=10.0.0.2\n"));
  EXPECT_EQ(login("joe", "secret"), "Ok joe proxy=y host=10.0.0.2 ->10.0.0.2 pass=secret");
}

TEST_F(Request, NoauthenticateGivesFieldsOnly) {
  add(users("joe:ignored::::::noauthenticate host=10.0.0.7 proxy=y\n"));
  add(users("joe:secret\n"));
  EXPECT_EQ(login("joe", "secret"), "Ok joe host=10.0.0.7 proxy=y ->10.0.0.7 pass=secret");
  EXPECT_EQ(login("joe", "ignored"), "Failed joe @failure");
}

TEST_F(Request, BrokenDatabaseIsTemporary) {  // AUTH-4
  add(passdb("passwd-file", "/nonexistent/users"));
  add(users("joe:secret\n"));
  EXPECT_EQ(login("joe", "secret"), "Ok joe");
  EXPECT_EQ(login("joe", "wrong"), "Unavailable joe @internal");
}

TEST_F(Request, DenyList) {
  auto deny = users("bad\n");
  deny.deny = true;
  add(deny);
  add(passdb("static", "nopassword=y"));
  EXPECT_EQ(login("bad", "x"), "Disabled bad @failure");
  EXPECT_EQ(login("good", "x"), "Ok good");
}

TEST_F(Request, UnknownSchemeGoesOn) {
  add(users("joe:{ROT13}x\n"));
  EXPECT_EQ(login("joe", "x"), "Failed joe @failure");
  EXPECT_NE(log_.lines.find("Error: passwd-file(joe,192.0.2.1,<SID>): Unknown scheme ROT13"), std::string::npos);
}

TEST_F(Request, NoDatabaseAtAll) {
  EXPECT_EQ(login("joe", "x"), "Unavailable joe @internal");
  EXPECT_NE(log_.lines.find("All password databases were skipped"), std::string::npos);
}

// --- master users ----------------------------------------------------------------------

class MasterRequest : public Request {
 protected:
  MasterRequest() {
    auto masters = users("boss:{PLAIN}bosspw::::::forward_by=boss\n", "");
    masters.master = true;
    masters.result_success = "continue";
    add(masters);
    add(
        users("joe:joepw::::::proxy=y host=10.0.0.1\nnets:x::::::allow_nets=10.0.0.1\nmine:x::::::proxy=y "
              "host=10.0.0.1 master=padm pass=ppw\n"));
  }
};

TEST_F(MasterRequest, BySeparatorAndAuthzid) {  // AUTH-12
  EXPECT_EQ(login("Joe*Boss", "bosspw"), "Ok joe/boss forward_by=boss proxy=y host=10.0.0.1 ->10.0.0.1 pass=bosspw");
  EXPECT_EQ(login("boss", "bosspw", "joe"), "Ok joe/boss forward_by=boss proxy=y host=10.0.0.1 ->10.0.0.1 pass=bosspw");
  EXPECT_EQ(login("mine*boss", "bosspw"),
            "Ok mine/boss forward_by=boss proxy=y host=10.0.0.1 master=padm ->10.0.0.1 pass=ppw");
}

TEST_F(MasterRequest, Refusals) {
  EXPECT_EQ(login("joe*boss", "joepw"), "Failed boss @failure");
  EXPECT_EQ(login("joe*nobody", "bosspw"), "Failed nobody @failure");
  EXPECT_EQ(login("joe*", "joepw"), "Failed joe* @failure");
  EXPECT_EQ(login("*boss", "bosspw"), "Failed boss @failure");
  EXPECT_EQ(login("boss", "bosspw"), "Failed boss @failure") << "a master is no user";
  EXPECT_EQ(login("joe*boss", "bosspw", "ann"), "Failed joe*boss @failure");
  EXPECT_EQ(login("joe*joe", "joepw"), "Ok joe proxy=y host=10.0.0.1 ->10.0.0.1 pass=joepw")
      << "to be oneself is no master login";
}

TEST_F(MasterRequest, UserUnknownOrRefusedIsAnAuthorizationFailure) {  // IMAP-82
  EXPECT_EQ(login("nobody*boss", "bosspw"), "AuthzFailed nobody/boss @failure");
  EXPECT_EQ(login("nets*boss", "bosspw"), "AuthzFailed nets/boss @failure");
}

TEST_F(Request, MasterLoginWithoutMasterPassdbs) {
  add(passdb("static", "nopassword=y"));
  EXPECT_EQ(login("joe*boss", "x"), "Failed boss @failure");
  EXPECT_EQ(login("boss", "x", "joe"), "Failed boss @failure");
}

TEST_F(Request, MasterPassdbThatReturnsOkNeedsNoUser) {
  auto masters = users("boss:bosspw::::::proxy=y host=10.0.0.3\n");
  masters.master = true;
  add(masters);
  EXPECT_EQ(login("joe*boss", "bosspw"), "Ok joe/boss proxy=y host=10.0.0.3 ->10.0.0.3 pass=bosspw");
}

// --- destinations ------------------------------------------------------------------------

TEST_F(Request, HostNamesAreResolved) {
  add(
      users("joe:x::::::proxy=y host=mail.example proxy_timeout=5\nann:x::::::proxy=y "
            "host=mail.example\nbob:x::::::proxy=y host=mail.example hostip=10.0.0.8\n"));
  EXPECT_EQ(login("joe", "x"), "resolve mail.example in 5000");
  EXPECT_EQ(show(request_->take_addresses(
                std::vector<IpAddress>{*IpAddress::parse("10.0.0.1"), *IpAddress::parse("10.0.0.2")})),
            "Ok joe proxy=y host=mail.example proxy_timeout=5 ->10.0.0.1 ->10.0.0.2 pass=x");
  EXPECT_EQ(login("ann", "x"), "resolve mail.example in 10000");
  EXPECT_EQ(show(request_->take_addresses(Error("timed out"))), "Unavailable ann @internal");
  EXPECT_EQ(log_.lines, "Error: proxy(ann,192.0.2.1,<SID>): DNS lookup for mail.example failed: timed out\n");
  EXPECT_EQ(login("bob", "x"), "Ok bob proxy=y host=mail.example hostip=10.0.0.8 ->10.0.0.8 pass=x");
}

TEST_F(Request, HostsThatCannotBe) {
  add(
      users("empty:x::::::proxy=y host=\nboth:x::::::proxy=y host=10.0.0.1 "
            "hostip=10.0.0.2\nmissing:x::::::proxy=y\nbad:x::::::proxy=y host=m hostip=zz\n"));
  EXPECT_EQ(login("empty", "x"), "Ok empty proxy=y host= pass=x") << "the router says what is wrong";
  EXPECT_EQ(login("both", "x"), "Unavailable both @internal");
  EXPECT_EQ(login("missing", "x"), "Ok missing proxy=y pass=x") << "the router says what is missing";
  EXPECT_EQ(login("bad", "x"), "Ok bad proxy=y host=m hostip=zz pass=x");
}

struct SelfCase {
  const char* fields;
  const char* expected;
};
TEST_F(Request, ProxyMaybe) {  // AUC-22; our address is 192.0.2.99:143
  constexpr SelfCase kCases[] = {
      {"proxy_maybe host=192.0.2.99 destuser=y reason=x", "Ok joe (x) reason=x"},
      {"proxy_maybe host=192.0.2.99 port=143", "Ok joe"},
      {"proxy_maybe host=192.0.2.99 port=993", "Ok joe host=192.0.2.99 port=993 proxy=y ->192.0.2.99 pass=x"},
      {"proxy_maybe host=192.0.2.98", "Ok joe host=192.0.2.98 proxy=y ->192.0.2.98 pass=x"},
      {"proxy_maybe host=198.51.100.1", "Ok joe"},
      {"proxy_maybe proxy_always host=192.0.2.99", "Ok joe proxy=y pass=x"},
  };
  conf_.settings.set(Key::auth_proxy_self, std::vector<std::string>{"198.51.100.1"});
  for (const SelfCase& c : kCases) {
    conf_.passdbs.clear();
    settings_.reset();
    add(users("joe:x::::::"s + c.fields + "\n"));
    EXPECT_EQ(login("joe", "x"), c.expected) << c.fields;
  }
}

// --- workers -----------------------------------------------------------------------------

class SqlRequest : public Request {
 protected:
  SqlRequest() {
    auto s = passdb("sql", "");
    s.driver_settings = {
        {"sql_driver", "sqlite"},
        {"sql_connect", "/x"},
        {"sql_password_query", "SELECT password FROM t WHERE u = '%u' AND f = '%{passdb:forward_a}' AND '%w' = ''"}};
    add(s);
  }
  static WorkerRow row(const char* password, FieldList fields = {}) {
    WorkerRow out;
    out.result = LookupResult::Found;
    out.has_password = password != nullptr;
    if (password != nullptr) out.password = SecretString(password);
    out.row = std::move(fields);
    return out;
  }
};

TEST_F(SqlRequest, AsksWithItsVariables) {
  auto message = start("PLAIN", "\0joe\0secret"s);
  message.subject.forward = {{"a", "b"}};
  begin(std::move(message));
  ASSERT_EQ(show(step_), "lookup");
  const WorkerLookup& what = std::get<AskLookup>(step_).what;
  EXPECT_EQ(what.database, 0u);
  EXPECT_EQ(what.variables, (FieldList{{"user", "joe"}, {"passdb:forward_a", "b"}}));
  ASSERT_TRUE(what.password);
  EXPECT_EQ(what.password->reveal(), "secret");
  EXPECT_EQ(show(request_->take_row(row("{PLAIN}secret", {{"proxy", "Y"}, {"host", "10.0.0.1"}}))),
            "Ok joe forward_a=b proxy=Y host=10.0.0.1 ->10.0.0.1 pass=secret");
}

TEST_F(SqlRequest, RowsThatFail) {
  login("joe", "secret");
  EXPECT_EQ(show(request_->take_row(row(nullptr))), "Failed joe @failure");
  login("joe", "secret");
  EXPECT_EQ(show(request_->take_row(row(nullptr, {{"nopassword", "Y"}}))), "Ok joe");
  login("joe", "secret");
  WorkerRow broken;
  broken.why = "database is away";
  EXPECT_EQ(show(request_->take_row(broken)), "Unavailable joe @internal");
  EXPECT_NE(log_.lines.find("Error: sql(joe,192.0.2.1,<SID>): database is away"), std::string::npos);
}

TEST_F(SqlRequest, SlowHashesAreComparedElsewhere) {  // AUTH-28
  login("joe", "secret");
  AuthStep next = request_->take_row(row("$6$hash"));
  ASSERT_EQ(show(next), "verify");
  EXPECT_EQ(std::get<AskVerify>(next).what.stored.reveal(), "{CRYPT}$6$hash");
  EXPECT_EQ(std::get<AskVerify>(next).what.password.reveal(), "secret");
  EXPECT_EQ(show(request_->take_verdict({0, VerifyResult::Match, "", false})), "Ok joe");
  login("joe", "secret");
  request_->take_row(row("$6$hash"));
  EXPECT_EQ(show(request_->take_verdict({0, VerifyResult::Mismatch, "", false})), "Failed joe @failure");
  login("joe", "secret");
  request_->take_row(row("$6$hash"));
  EXPECT_EQ(show(request_->take_verdict({0, VerifyResult::Broken, "auth-worker died", false})),
            "Unavailable joe @internal");
}

// --- policy servers (AUTH-48) -------------------------------------------------------

class PolicyRequest : public Request {
 protected:
  PolicyRequest() {
    conf_.settings.set(Key::auth_policy_server_url, std::string("http://127.0.0.1/"));
    conf_.settings.set(Key::auth_policy_hash_nonce, std::string("x"));
    add(users("joe:secret::::::\n"));
  }
  void set(Key key, bool value) { conf_.settings.set(key, value); }
  std::string policy(int64_t status, const std::string& message = "") {
    return show(step_ = request_->take_policy({false, status, message}));
  }
  std::string failed() { return show(step_ = request_->take_policy({true, 0, "no answer"})); }
  std::string report() { return request_->policy_report(std::get<Finished>(step_).reply); }
};

TEST_F(PolicyRequest, AskedBeforeAndAfter) {
  EXPECT_EQ(login("joe", "secret"), "policy");
  EXPECT_EQ(policy(0), "policy");
  EXPECT_EQ(policy(0), "Ok joe");
  EXPECT_NE(report().find(R"("success":true)"), std::string::npos);
}

TEST_F(PolicyRequest, RefusesBefore) {
  login("joe", "secret");
  EXPECT_EQ(policy(-1, "too many countries"), "Failed joe (too many countries) @failure");
  EXPECT_NE(report().find(R"("fail_type":"policy")"), std::string::npos);
}

TEST_F(PolicyRequest, RefusesAfter) {
  login("joe", "secret");
  policy(0);
  EXPECT_EQ(policy(-1), "Failed joe @failure");
}

TEST_F(PolicyRequest, WrongPasswordIsNotAskedAgain) {
  login("joe", "wrong");
  EXPECT_EQ(policy(0), "Failed joe @failure");
  EXPECT_NE(report().find(R"("fail_type":"credentials")"), std::string::npos);
}

TEST_F(PolicyRequest, Tarpit) {
  login("joe", "secret");
  EXPECT_EQ(policy(3), "tarpit 3000");
  EXPECT_EQ(show(step_ = request_->tarpit_over()), "policy");
  EXPECT_EQ(policy(3), "Ok joe") << "after the login nobody waits";
  login("joe", "secret");
  EXPECT_EQ(policy(INT64_MAX), "tarpit 150000");
}

TEST_F(PolicyRequest, FailsOpenUnlessTold) {
  login("joe", "secret");
  EXPECT_EQ(failed(), "policy");
  EXPECT_EQ(failed(), "Ok joe");
  settings_.reset();
  set(Key::auth_policy_reject_on_fail, true);
  login("joe", "secret");
  EXPECT_EQ(failed(), "Unavailable joe @internal");
}

TEST_F(PolicyRequest, OnlyLogged) {
  set(Key::auth_policy_log_only, true);
  login("joe", "secret");
  EXPECT_EQ(policy(-1, "bad"), "policy");
  EXPECT_EQ(policy(5), "Ok joe");
  EXPECT_NE(log_.lines.find("status -1, only logged"), std::string::npos);
}

TEST_F(PolicyRequest, EachCheckCanBeOff) {
  set(Key::auth_policy_check_before_auth, false);
  set(Key::auth_policy_report_after_auth, false);
  EXPECT_EQ(login("joe", "secret"), "policy");
  EXPECT_EQ(policy(0), "Ok joe");
  EXPECT_EQ(report(), "");
  settings_.reset();
  set(Key::auth_policy_check_after_auth, false);
  EXPECT_EQ(login("joe", "secret"), "Ok joe");
}

// --- databases that check passwords themselves (AUTH-20, AUTH-21, AUTH-24) ----------

struct SilentDatabase final : AsyncDatabase {
  void lookup(const AsyncLookup&, Done) override {}
};

class CheckingRequest : public Request {
 protected:
  CheckingRequest() {
    conf_.settings.set(Key::auth_mechanisms, std::vector<std::string>{"plain", "cram-md5", "oauthbearer"});
    add(passdb("static", "password=unused"));
    settings_ = std::make_unique<AuthSettings>(std::move(*AuthSettings::compile(conf_)));
    settings_->users.databases[0]->traits.verifies = true;
    settings_->users.databases[0]->local.reset();
    settings_->users.databases[0]->async = std::make_unique<SilentDatabase>();
  }
  static DbRow checked(PasswordCheck check, FieldList fields = {}) {
    DbRow out;
    out.result = LookupResult::Found;
    out.check = check;
    out.fields = std::move(fields);
    return out;
  }
  // What it is asked to check; "-": nothing.
  std::string asked() const {
    const auto* ask = std::get_if<AskAsync>(&step_);
    return ask == nullptr ? "not asked"
           : ask->shown.secret == nullptr
               ? "-"
               : std::string(ask->shown.secret->reveal()) + std::string(ask->shown.challenge);
  }
};

TEST_F(CheckingRequest, ItsWordCounts) {
  login("joe", "secret");
  EXPECT_EQ(asked(), "secret");
  EXPECT_EQ(show(request_->take_row(checked(PasswordCheck::Right, {{"proxy", "y"}, {"host", "10.0.0.1"}}))),
            "Ok joe proxy=y host=10.0.0.1 ->10.0.0.1 pass=secret");
  const std::pair<PasswordCheck, const char*> refusals[] = {{PasswordCheck::Wrong, "Failed joe @failure"},
                                                            {PasswordCheck::Disabled, "Disabled joe @failure"},
                                                            {PasswordCheck::Expired, "Expired joe @failure"}};
  for (const auto& [check, end] : refusals) {
    login("joe", "secret");
    EXPECT_EQ(show(request_->take_row(checked(check, {{"proxy", "y"}, {"host", "10.0.0.1"}}))), end);
  }
  login("joe", "secret");
  EXPECT_EQ(show(request_->take_row(DbRow::broken("down"))), "Unavailable joe @internal");
}

TEST_F(CheckingRequest, HasNothingForProofs) {  // AUTH-27
  begin(start("CRAM-MD5", std::nullopt));
  ASSERT_EQ(show(step_).substr(0, 9), "challenge");
  EXPECT_EQ(show(request_->respond(SecretString("joe 0123456789abcdef0123456789abcdef"))), "Failed joe @failure");
}

class DigestRequest : public CheckingRequest {
 protected:
  DigestRequest() { settings_->users.databases[0]->traits.verifies_digests = true; }
  void claim(const std::string& user) {
    begin(start("CRAM-MD5", std::nullopt));
    challenge_ = std::get<AskResponse>(step_).challenge;
    step_ = request_->respond(SecretString(user + " 0123456789ABCDEF0123456789abcdef"));
  }
  std::string challenge_;
};

TEST_F(DigestRequest, AreTheDatabaseSToJudge) {  // AUTH-22
  claim("joe");
  EXPECT_EQ(asked(), "0123456789abcdef0123456789abcdef" + challenge_);
  EXPECT_EQ(show(request_->take_row(
                checked(PasswordCheck::Right, {{"proxy", "y"}, {"host", "10.0.0.1"}, {"pass", "plain"}}))),
            "Ok joe proxy=y host=10.0.0.1 ->10.0.0.1 pass=plain");
  claim("joe");
  EXPECT_EQ(show(request_->take_row(checked(PasswordCheck::Wrong))), "Failed joe @failure");
  claim("joe");
  EXPECT_EQ(show(request_->take_row(DbRow::broken("down"))), "Unavailable joe @internal");
  claim("joe");
  EXPECT_EQ(show(request_->take_row(DbRow::not_found())), "Failed joe @failure");
  claim("joe");
  EXPECT_EQ(show(request_->take_row(checked(PasswordCheck::None))), "Failed joe @failure") << "nobody has judged";
}

TEST_F(DigestRequest, FieldsStillSayWhoMayLogIn) {
  claim("joe");
  EXPECT_EQ(show(request_->take_row(checked(PasswordCheck::Right, {{"allow_nets", "203.0.113.9"}}))),
            "Failed joe @failure");
}

TEST_F(CheckingRequest, ForgottenAnswerIsNoSuccess) {
  login("joe", "secret");
  EXPECT_EQ(show(request_->take_row(checked(PasswordCheck::None))), "Failed joe @failure");
}

TEST_F(CheckingRequest, TellsTokenClientsWhy) {  // RFC 7628 section 3.2.2
  begin(start("OAUTHBEARER", "n,a=joe,\1auth=Bearer token\1\1"s));
  EXPECT_EQ(asked(), "token");
  DbRow row = checked(PasswordCheck::Wrong);
  row.refusal = R"({"status":"insufficient_scope"})";
  EXPECT_EQ(show(request_->take_row(std::move(row))), R"(challenge '{"status":"insufficient_scope"}' @failure)");
  EXPECT_EQ(show(request_->respond(SecretString("\1"))), "Failed joe");
}

TEST_F(SqlRequest, UnknownUsersCostTheSame) {  // AUTH-5
  WorkerRow unknown;
  unknown.result = LookupResult::NotFound;
  login("nobody", "x");
  EXPECT_EQ(show(request_->take_row(unknown)), "Failed nobody @failure") << "no slow hash was seen yet";
  login("joe", "secret");
  request_->take_row(row("$6$hash"));
  request_->take_verdict({0, VerifyResult::Match, "", false});
  login("nobody", "x");
  ASSERT_EQ(show(request_->take_row(unknown)), "verify");
  EXPECT_EQ(show(request_->take_verdict({0, VerifyResult::Match, "", false})), "Failed nobody @failure")
      << "whatever the comparison says";
}

TEST_F(SqlRequest, GivenUp) {
  login("joe", "x");
  EXPECT_EQ(show(AuthStep(request_->give_up("Request timed out"))), "Unavailable joe");
}

TEST_F(Request, SettingsThatAreWrong) {
  const auto error = [&](DatabaseSettings s) {
    conf_.passdbs = {std::move(s)};
    const auto compiled = AuthSettings::compile(conf_);
    return compiled ? "" : compiled.error();
  };
  EXPECT_EQ(error(passdb("nis", "")), "test:1: passdb 1: driver = nis: not available");
  EXPECT_EQ(error(passdb("static", "host=%z")), "test:1: passdb 1: args: host: at position 1: unknown variable '%z'");
  auto s = passdb("static", "");
  s.default_fields = {{"a", "%{nonsense}"}};
  EXPECT_EQ(error(s), "test:1: passdb 1: default_fields: a: at position 1: unknown variable '%{nonsense}'");
}

// --- certificates, tickets, nobody (AUTH-9, AUTH-13, AUTH-29, SEC-15) -----------------

AuthStart with_certificate(AuthStart message, const std::string& name) {
  message.subject.cert_valid = true;
  message.subject.cert_name = name;
  message.subject.cert_fp = "ab12";
  return message;
}

TEST_F(Request, ExternalLooksAtNoPassword) {
  conf_.settings.set(Key::auth_mechanisms, std::vector<std::string>{"external"});
  add(users("joe:secret::::::proxy=y host=10.0.0.5 pass=master cert=%k\nann:::::::allow_nets=10.0.0.0/8\n"));
  begin(with_certificate(start("EXTERNAL", ""), "Joe"));
  EXPECT_EQ(show(step_), "Ok joe proxy=y host=10.0.0.5 cert=valid ->10.0.0.5 pass=master");
  begin(with_certificate(start("EXTERNAL", ""), "ann"));
  EXPECT_EQ(show(step_), "Failed ann @failure");  // the fields still count
  begin(with_certificate(start("EXTERNAL", ""), "nobody"));
  EXPECT_EQ(show(step_), "Failed nobody @failure");
  begin(with_certificate(start("EXTERNAL", ""), "jo e"));  // AUTH-11
  EXPECT_EQ(show(step_), "Failed jo e @failure");
  begin(start("EXTERNAL", ""));
  EXPECT_EQ(show(step_), "Failed  @failure");
}

TEST_F(Request, ExternalAsMaster) {  // AUTH-12
  conf_.settings.set(Key::auth_mechanisms, std::vector<std::string>{"external"});
  add(users("joe:secret::::::proxy=y host=10.0.0.5\n"));
  begin(with_certificate(start("EXTERNAL", "joe"), "admin"));
  EXPECT_EQ(show(step_).substr(0, 6), "Failed");  // there is no master database
  DatabaseSettings masters = users("admin:secret\n");
  masters.master = true;
  masters.result_success = "continue";
  settings_ = nullptr;
  conf_.passdbs.insert(conf_.passdbs.begin(), masters);
  begin(with_certificate(start("EXTERNAL", "joe"), "admin"));
  EXPECT_EQ(show(step_).substr(0, 12), "Ok joe/admin");
  begin(with_certificate(start("EXTERNAL", "joe"), "joe2"));
  EXPECT_EQ(show(step_).substr(0, 6), "Failed");
}

TEST_F(Request, AnonymousIsAUserLikeOthers) {
  conf_.settings.set(Key::auth_mechanisms, std::vector<std::string>{"anonymous"});
  conf_.settings.set(Key::auth_anonymous_username, std::string("guest"));
  add(users("guest:secret::::::proxy=y host=10.0.0.5\n"));
  begin(start("ANONYMOUS", "me@example.org"));
  EXPECT_EQ(show(step_), "Ok guest proxy=y host=10.0.0.5 ->10.0.0.5");
}

TEST_F(Request, ACertificateIsRequired) {
  conf_.settings.set(Key::auth_ssl_require_client_cert, true);
  add(users("joe:secret\n"));
  EXPECT_EQ(login("joe", "secret"),
            "Failed  ([ALERT] Client didn't present valid SSL certificate)");  // at once: nothing was tried
  begin(with_certificate(start("PLAIN", "\0joe\0secret"s), "other"));
  EXPECT_EQ(show(step_), "Ok joe");
}

TEST_F(Request, TheCertificatesNameCounts) {
  conf_.settings.set(Key::auth_ssl_username_from_cert, true);
  add(users("joe:secret\nann:hers\n"));
  EXPECT_EQ(login("joe", "secret"), "Ok joe");  // none was shown, and none is required
  begin(with_certificate(start("PLAIN", "\0joe\0hers"s), "Ann"));
  EXPECT_EQ(show(step_), "Ok ann");
  begin(with_certificate(start("PLAIN", "\0joe\0secret"s), "ann"));
  EXPECT_EQ(show(step_), "Failed ann @failure");
  begin(with_certificate(start("PLAIN", "\0joe\0secret"s), ""));
  EXPECT_EQ(show(step_).substr(0, 6), "Failed");
}

TEST_F(Request, FingerprintFields) {
  add(users("joe:secret::::::check_client_fp=AB:12\nann:secret::::::check_client_pubkey_fp=ab12\n"));
  EXPECT_EQ(login("joe", "secret"), "Failed joe @failure");
  begin(with_certificate(start("PLAIN", "\0joe\0secret"s), "x"));
  EXPECT_EQ(show(step_), "Ok joe");
  begin(with_certificate(start("PLAIN", "\0ann\0secret"s), "x"));  // the certificate's, not its key's
  EXPECT_EQ(show(step_), "Failed ann @failure");
}

// md5(user:realm:password), with the name as it was sent (AUTH-26).
TEST_F(Request, StoredDigests) {
  add(
      users("joe@example.org:{DIGEST-MD5}9e350098094efc4af26cd456adf29a60\n"
            "ann:{CRAM-MD5}cd3ba7deaad6e5ca23448ba42e379747a9e0f7f1fbc00c8a81bbaac395731b56\n"));
  EXPECT_EQ(login("joe@example.org", "secret"), "Ok joe@example.org");
  EXPECT_EQ(login("joe@example.org", "Secret"), "Failed joe@example.org @failure");
  EXPECT_EQ(login("ann", "secret"), "Ok ann");
  EXPECT_EQ(login("ann", "Secret"), "Failed ann @failure");
}

TEST_F(Request, ChannelBindingIsOfTheProcessThatHasTheSession) {
  conf_.settings.set(Key::auth_mechanisms, std::vector<std::string>{"scram-sha-256", "scram-sha-256-plus"});
  add(users("joe:secret\n"));
  const auto first = [&](const std::string& mechanism, const std::string& header, const std::string& exporter) {
    AuthStart message = start(mechanism, header + "n=joe,r=abcdefgh");
    message.subject.tls_exporter = exporter;
    begin(std::move(message));
    return show(step_).substr(0, 9);
  };
  EXPECT_EQ(first("SCRAM-SHA-256-PLUS", "p=tls-exporter,,", "bytes"), "challenge");
  EXPECT_EQ(first("SCRAM-SHA-256-PLUS", "p=tls-exporter,,", ""), "Failed  @");
  EXPECT_EQ(first("SCRAM-SHA-256", "y,,", "bytes"), "Failed  @");
  EXPECT_EQ(first("SCRAM-SHA-256", "y,,", ""), "challenge");
  EXPECT_EQ(first("SCRAM-SHA-256", "n,,", "bytes"), "challenge");
}

}  // namespace
}  // namespace postern
