// What requests do with the cache (AUTH-35 to AUTH-38): two users, each branch, with a clock that the test moves.
#include <gtest/gtest.h>

#include "auth/request.h"
#include "support/captured_log.h"

namespace postern {
namespace {

using namespace std::string_literals;
using std::chrono::seconds;

DatabaseSettings sql(const std::string& query) {
  DatabaseSettings s;
  s.driver = "sql";
  s.name = "passdb 1";
  s.where = "test:1";
  s.driver_settings = {
      {"sql_driver", "sqlite"}, {"sql_connect", "/x"}, {"sql_password_query", query}, {"sql_user_query", query}};
  return s;
}

DbRow found(std::optional<std::string> password, FieldList fields = {}, PasswordCheck check = PasswordCheck::None) {
  DbRow row;
  row.result = LookupResult::Found;
  if (password) row.password.emplace(*password);
  row.fields = std::move(fields);
  row.check = check;
  return row;
}

// {SHA512-CRYPT} data are slow; the worker's verdict is made up here.
constexpr const char* kSlow = "$6$hash";

class CachedRequest : public testing::Test {
 protected:
  CachedRequest() {
    conf_.settings.set(Key::auth_mechanisms, std::vector<std::string>{"plain", "scram-sha-256", "cram-md5"});
    conf_.settings.set(Key::auth_verbose, true);
    conf_.settings.set(Key::auth_master_user_separator, std::string("*"));
    conf_.settings.set(Key::auth_cache_size, int64_t{1 << 20});
    conf_.settings.set(Key::auth_cache_ttl, int64_t{3600'000});
    conf_.settings.set(Key::auth_cache_negative_ttl, int64_t{60'000});
    conf_.passdbs.push_back(sql("SELECT password, host FROM users WHERE name = '%u'"));
  }
  void open() {
    auto compiled = AuthSettings::compile(conf_);
    ASSERT_TRUE(compiled) << compiled.error();
    settings_ = std::make_unique<AuthSettings>(std::move(*compiled));
    cache_ = std::make_unique<AuthCache>(settings_->cache);
    world_.cache = cache_.get();
    world_.now = [this] { return now_; };
  }
  void verifying() {
    open();
    settings_->users.databases[0]->traits.verifies = true;
  }
  std::unique_ptr<AuthRequest> make(AuthStart start) {
    if (settings_ == nullptr) open();
    start.id = 7;
    start.subject.service = "imap";
    start.subject.remote = {*IpAddress::parse(ip_), 4000};
    return std::make_unique<AuthRequest>(*settings_, world_, std::move(start));
  }
  // The login up to its end; what happened on the way, in one line. `answer` is what the database says when asked,
  // `right` what a worker says of a slow hash.
  std::string login(const std::string& user, const std::string& password, DbRow answer = DbRow::broken("not asked"),
                    bool right = false) {
    AuthStart start;
    start.mechanism = "PLAIN";
    start.initial.emplace("\0"s + user + "\0"s + password);
    auto request = make(std::move(start));
    return finish(*request, request->begin(), std::move(answer), right);
  }
  static std::string finish(AuthRequest& request, AuthStep step, DbRow answer, bool right) {
    std::string out;
    for (;;) {
      if (std::holds_alternative<AskLookup>(step)) {
        out += "asked ";
        step = request.take_row(DbRow(answer));
      } else if (std::holds_alternative<AskVerify>(step)) {
        out += "verified ";
        WorkerVerdict verdict;
        verdict.result = right ? VerifyResult::Match : VerifyResult::Mismatch;
        step = request.take_verdict(verdict);
      } else {
        return out + end(step);
      }
    }
  }
  static std::string end(const AuthStep& step) {
    const auto* f = std::get_if<Finished>(&step);
    if (f == nullptr) return "other";
    const char* const result = f->reply.result == AuthResult::Ok            ? "Ok "
                               : f->reply.result == AuthResult::Failed      ? "Failed "
                               : f->reply.result == AuthResult::Unavailable ? "Unavailable "
                                                                            : "other ";
    std::string out = result + f->reply.user;
    for (const auto& [name, value] : f->reply.extra) out += " " + name + "=" + value;
    return out;
  }

  Configuration conf_;
  std::string ip_ = "192.0.2.1";
  Instant now_ = Instant() + seconds(100'000);
  AuthRequest::World world_{[] { return uint64_t{1000}; }, [](uint64_t n) { return n - 1; }};
  std::unique_ptr<AuthSettings> settings_;
  std::unique_ptr<AuthCache> cache_;
  CapturedLog log_;
};

// --- hits ----------------------------------------------------------------------------

TEST_F(CachedRequest, TheSecondLoginAsksNobody) {  // AUTH-38: match
  EXPECT_EQ(login("joe", "secret", found("{PLAIN}secret", {{"host", "a"}})), "asked Ok joe host=a");
  EXPECT_EQ(login("joe", "secret"), "Ok joe host=a");
  EXPECT_EQ(login("JOE", "secret"), "Ok joe host=a");  // AUTH-35: the translated name
  now_ += seconds(3600);
  EXPECT_EQ(login("joe", "secret", found("{PLAIN}secret", {{"host", "b"}})), "asked Ok joe host=b");
  EXPECT_EQ(cache_->status().hits, 2u);
  EXPECT_EQ(cache_->status().misses, 2u);
}

TEST_F(CachedRequest, NoCacheByDefault) {
  conf_.settings.set(Key::auth_cache_size, int64_t{0});
  open();
  world_.cache = nullptr;
  for (int i = 0; i < 2; ++i) EXPECT_EQ(login("joe", "secret", found("{PLAIN}secret")), "asked Ok joe");
}

TEST_F(CachedRequest, UnknownUsers) {  // AUTH-37: negative entries
  EXPECT_EQ(login("joe", "x", DbRow::not_found()), "asked Failed joe");
  EXPECT_EQ(login("joe", "y"), "Failed joe");
  now_ += seconds(60);
  EXPECT_EQ(login("joe", "y", found("{PLAIN}y")), "asked Ok joe");
}

// A slow hash costs a worker once.
TEST_F(CachedRequest, SlowHashes) {
  EXPECT_EQ(login("joe", "secret", found(kSlow), true), "asked verified Ok joe");
  EXPECT_EQ(login("joe", "secret"), "Ok joe");
  EXPECT_EQ(login("joe", "wrong", found(kSlow), false), "asked verified Failed joe");
  EXPECT_EQ(login("joe", "wrong"), "verified Failed joe");
  EXPECT_EQ(login("joe", "secret"), "Ok joe");  // the same hash: its right password is still known
}

// Made of the user's name as well (AUTH-26).
TEST_F(CachedRequest, ADigestOfNameAndPassword) {
  const DbRow row = found("{DIGEST-MD5}fb2441a715a5484c6fa16147c4a6b7a8");
  EXPECT_EQ(login("joe", "secret", row), "asked Ok joe");
  EXPECT_EQ(login("joe", "secret"), "Ok joe");
  EXPECT_EQ(login("joe", "wrong", row), "asked Failed joe");
  EXPECT_EQ(login("ann", "secret", row), "asked Failed ann");
}

TEST_F(CachedRequest, SlowHashesByWorkersOnly) {  // auth_cache_verify_password_with_worker
  conf_.settings.set(Key::auth_cache_verify_password_with_worker, true);
  EXPECT_EQ(login("joe", "secret", found(kSlow), true), "asked verified Ok joe");
  EXPECT_EQ(login("joe", "secret", DbRow(), true), "verified Ok joe");
  EXPECT_EQ(login("joe", "wrong", found(kSlow, {{"host", "a"}}), false), "verified asked verified Failed joe");
  EXPECT_EQ(login("joe", "wrong", DbRow(), false), "verified Failed joe");
  EXPECT_EQ(login("joe", "secret", DbRow(), true), "verified Ok joe host=a");
}

// Fields of the answer that was doubted don't stay.
TEST_F(CachedRequest, FieldsOfADoubtedAnswerGo) {
  conf_.settings.set(Key::auth_cache_verify_password_with_worker, true);
  EXPECT_EQ(login("joe", "a", found(kSlow, {{"login_user", "other"}, {"old", "1"}}), true),
            "asked verified Ok other old=1");
  EXPECT_EQ(login("joe", "a", DbRow(), true), "verified Ok other old=1");
  EXPECT_EQ(login("joe", "b", found("{PLAIN}b", {{"new", "1"}})), "verified asked Ok joe new=1");
}

// --- AUTH-38: mismatches -------------------------------------------------------------

TEST_F(CachedRequest, WrongPasswordsAskOncePerSuccess) {
  const DbRow row = found("{PLAIN}secret");
  EXPECT_EQ(login("joe", "secret", row), "asked Ok joe");
  EXPECT_EQ(login("joe", "wrong", row), "asked Failed joe");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(login("joe", "wrong"), "Failed joe");
  EXPECT_EQ(login("joe", "secret"), "Ok joe");
  EXPECT_EQ(login("joe", "wrong", row), "asked Failed joe");
  EXPECT_EQ(login("joe", "wrong"), "Failed joe");
  now_ += seconds(60);
  EXPECT_EQ(login("joe", "wrong", row), "asked Failed joe");
}

TEST_F(CachedRequest, AChangedPassword) {
  EXPECT_EQ(login("joe", "old", found("{PLAIN}old")), "asked Ok joe");
  EXPECT_EQ(login("joe", "old"), "Ok joe");  // as long as it is kept
  EXPECT_EQ(login("joe", "new", found("{PLAIN}new")), "asked Ok joe");
  EXPECT_EQ(login("joe", "new"), "Ok joe");
  EXPECT_EQ(login("joe", "old", found("{PLAIN}new")), "asked Failed joe");
}

TEST_F(CachedRequest, TriedTooEarly) {
  EXPECT_EQ(login("joe", "old", found("{PLAIN}old")), "asked Ok joe");
  EXPECT_EQ(login("joe", "new", found("{PLAIN}old")), "asked Failed joe");
  EXPECT_EQ(login("joe", "new", found("{PLAIN}new")), "Failed joe");
  now_ += seconds(60);
  EXPECT_EQ(login("joe", "new", found("{PLAIN}new")), "asked Ok joe");
}

// --- the database is down ------------------------------------------------------------

TEST_F(CachedRequest, ExpiredAnswersWhileTheDatabaseIsDown) {
  EXPECT_EQ(login("joe", "secret", found("{PLAIN}secret", {{"host", "a"}})), "asked Ok joe host=a");
  EXPECT_EQ(login("eve", "x", DbRow::not_found()), "asked Failed eve");
  now_ += seconds(100'000);
  const DbRow down = DbRow::broken("down");
  EXPECT_EQ(login("joe", "secret", down), "asked Ok joe host=a");
  EXPECT_NE(log_.lines.find(
                "Error: sql(joe,192.0.2.1): down\nInfo: sql(joe,192.0.2.1): Falling back to expired data from cache\n"),
            std::string::npos)
      << log_.lines;
  // Nobody is told that his password is wrong because of what is too old.
  EXPECT_EQ(login("joe", "wrong", down), "asked Unavailable joe");
  EXPECT_EQ(login("eve", "x", down), "asked Unavailable eve");
  EXPECT_EQ(login("ann", "x", down), "asked Unavailable ann");
  EXPECT_EQ(cache_->status().stale, 2u);
  EXPECT_EQ(login("joe", "secret", found("{PLAIN}new", {{"host", "b"}})), "asked Failed joe");
}

TEST_F(CachedRequest, ExpiredSlowHashes) {
  EXPECT_EQ(login("joe", "secret", found(kSlow), true), "asked verified Ok joe");
  now_ += seconds(3600);
  EXPECT_EQ(login("joe", "secret", DbRow::broken("down")), "asked Ok joe");
  EXPECT_EQ(login("joe", "wrong", DbRow::broken("down"), false), "asked verified Unavailable joe");
}

// A new password while the database is down is not wrong, however often it is tried.
TEST_F(CachedRequest, DoubtWhileTheDatabaseIsDown) {
  EXPECT_EQ(login("joe", "old", found("{PLAIN}old")), "asked Ok joe");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(login("joe", "new", DbRow::broken("down")), "asked Unavailable joe");
  EXPECT_EQ(login("joe", "old"), "Ok joe");
  EXPECT_EQ(login("joe", "new", found("{PLAIN}new")), "asked Ok joe");
}

// --- what is not kept ----------------------------------------------------------------

TEST_F(CachedRequest, NextAndBrokenAreNotKept) {  // AUTH-37
  for (int i = 0; i < 2; ++i) EXPECT_EQ(login("joe", "x", DbRow::broken("down")), "asked Unavailable joe");
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(login("joe", "x", found("{PLAIN}x", {{"noauthenticate", "y"}})), "asked Unavailable joe");
  EXPECT_EQ(cache_->status().entries, 0u);
}

// allow_nets is looked at each time (AUTH-36).
TEST_F(CachedRequest, FieldChecksAreMadeAgain) {
  EXPECT_EQ(login("joe", "secret", found("{PLAIN}secret", {{"allow_nets", "192.0.2.1"}})), "asked Ok joe");
  ip_ = "192.0.2.2";
  EXPECT_EQ(login("joe", "secret"), "Failed joe");
}

TEST_F(CachedRequest, TemplatesOfTheBlockAreExpandedAgain) {
  conf_.passdbs[0].override_fields = {{"seen", "%r"}};
  EXPECT_EQ(login("joe", "secret", found("{PLAIN}secret")), "asked Ok joe seen=192.0.2.1");
  ip_ = "192.0.2.2";
  EXPECT_EQ(login("joe", "secret"), "Ok joe seen=192.0.2.2");
}

TEST_F(CachedRequest, FilesAreNotCached) {
  for (const std::string driver : {"static", "passwd-file"}) {
    const Driver* d = find_driver(driver);
    DatabaseSettings s;
    s.args = driver == "static" ? "nopassword=y" : "/x";
    EXPECT_FALSE(d->describe(s, DbKind::Passdb)->cacheable) << driver;
  }
}

// --- AUTH-35, AUTH-36: one user's answer is never another's ---------------------------

TEST_F(CachedRequest, AQueryWithoutVariables) {
  conf_.passdbs[0] = sql("SELECT password, host FROM users LIMIT 1");
  EXPECT_EQ(login("joe", "secret", found("{PLAIN}secret", {{"host", "a"}})), "asked Ok joe host=a");
  EXPECT_EQ(login("ann", "secret", found("{PLAIN}other")), "asked Failed ann");
  EXPECT_EQ(login("joe", "secret"), "Ok joe host=a");
}

TEST_F(CachedRequest, TheNameBeforeADatabaseChangedIt) {
  EXPECT_EQ(login("joe", "a", found("{PLAIN}a", {{"user", "shared"}})), "asked Ok shared");
  EXPECT_EQ(login("ann", "b", found("{PLAIN}b", {{"user", "shared"}})), "asked Ok shared");
  EXPECT_EQ(login("joe", "a"), "Ok shared");
  EXPECT_EQ(login("ann", "b"), "Ok shared");
  EXPECT_EQ(login("shared", "a", DbRow::not_found()), "asked Failed shared");
}

TEST_F(CachedRequest, WhatTheQueryUsesIsInTheKey) {
  conf_.passdbs[0] = sql("SELECT password FROM users WHERE name = '%u' AND net = '%r'");
  EXPECT_EQ(login("joe", "a", found("{PLAIN}a")), "asked Ok joe");
  ip_ = "192.0.2.2";
  EXPECT_EQ(login("joe", "a", DbRow::not_found()), "asked Failed joe");
  ip_ = "192.0.2.1";
  EXPECT_EQ(login("joe", "a"), "Ok joe");
}

TEST_F(CachedRequest, ThePasswordInAQuery) {
  conf_.passdbs[0] = sql("SELECT NULL AS password, 'Y' AS nopassword FROM users WHERE name = '%u' AND clear = '%w'");
  const DbRow row = found(std::nullopt, {{"nopassword", "Y"}});
  EXPECT_EQ(login("joe", "right", row), "asked Ok joe");
  EXPECT_EQ(login("joe", "wrong", DbRow::not_found()), "asked Failed joe");
  EXPECT_EQ(login("joe", "right"), "Ok joe");
  EXPECT_EQ(login("joe", "wrong"), "Failed joe");
}

TEST_F(CachedRequest, MasterUsers) {
  auto masters = sql("SELECT password FROM masters WHERE name = '%u'");
  masters.master = true;
  masters.result_success = "continue";
  conf_.passdbs.push_back(masters);
  EXPECT_EQ(login("boss", "bosspw", found("{PLAIN}bosspw")), "asked Ok boss");
  // In the chain of masters, and joe's own block without a password: both are asked.
  EXPECT_EQ(login("joe*boss", "m", found("{PLAIN}m")), "asked asked Ok joe");
  EXPECT_EQ(login("joe*boss", "m"), "Ok joe");
  EXPECT_EQ(login("ann*boss", "m", DbRow::not_found()), "asked other ann");
  EXPECT_EQ(login("joe", "joepw", found("{PLAIN}joepw")), "asked Ok joe");
  EXPECT_EQ(login("joe", "m", found("{PLAIN}joepw")), "asked Failed joe");
}

// What another database says of a password is nothing of this one's.
TEST_F(CachedRequest, DatabasesBehindItTeachItNothing) {
  conf_.passdbs.push_back(sql(""));
  conf_.passdbs.back().driver = "static";
  conf_.passdbs.back().driver_fields = {{"password", "second"}};
  const DbRow row = found("{PLAIN}first", {{"host", "a"}});
  EXPECT_EQ(login("joe", "first", row), "asked Ok joe host=a");
  EXPECT_EQ(login("joe", "second", row), "asked Ok joe");
  EXPECT_EQ(login("joe", "second"), "Ok joe");
  EXPECT_EQ(login("joe", "first"), "Ok joe host=a");
}

TEST_F(CachedRequest, KeysThatAreNeverFoundAgain) {
  conf_.passdbs[0] = sql("SELECT password FROM users WHERE name = '%u' AND sid = '%{session}'");
  open();
  EXPECT_EQ(
      log_.lines,
      "Warning: passdb 1: %{session} in a look-up: its answers are kept by auth_cache_size, and never found again\n");
}

// --- databases that check passwords themselves ----------------------------------------

TEST_F(CachedRequest, ADatabaseThatVerifies) {  // AUTH-37: a salted digest of the given password
  verifying();
  const DbRow right = found(std::nullopt, {{"host", "a"}}, PasswordCheck::Right),
              wrong = found(std::nullopt, {}, PasswordCheck::Wrong);
  EXPECT_EQ(login("joe", "wrong", wrong), "asked Failed joe");
  EXPECT_EQ(login("joe", "secret", right), "asked Ok joe host=a");
  EXPECT_EQ(login("joe", "secret"), "Ok joe host=a");
  EXPECT_EQ(login("ann", "secret", wrong), "asked Failed ann");
  EXPECT_EQ(login("joe", "wrong", wrong), "asked Failed joe");
  EXPECT_EQ(login("joe", "wrong"), "Failed joe");
  EXPECT_EQ(login("joe", "secret"), "Ok joe host=a");
  EXPECT_EQ(login("joe", "new", right), "asked Ok joe host=a");
  EXPECT_EQ(login("joe", "new"), "Ok joe host=a");
  EXPECT_EQ(login("joe", "secret", wrong), "asked Failed joe");
  now_ += seconds(3600);
  EXPECT_EQ(login("joe", "new", DbRow::broken("down")), "asked Ok joe host=a");
  EXPECT_EQ(login("joe", "wrong", DbRow::broken("down")), "asked Unavailable joe");
}

TEST_F(CachedRequest, RefusalsOfThisMomentAreNotKept) {
  verifying();
  const DbRow right = found(std::nullopt, {}, PasswordCheck::Right);
  EXPECT_EQ(login("joe", "secret", right), "asked Ok joe");
  EXPECT_EQ(login("joe", "other", found(std::nullopt, {}, PasswordCheck::Disabled)), "asked other joe");
  EXPECT_EQ(login("joe", "secret", right), "asked Ok joe");  // what was kept of him has gone
  EXPECT_EQ(login("ann", "x", found(std::nullopt, {}, PasswordCheck::Expired)), "asked other ann");
  EXPECT_EQ(login("ann", "x", right), "asked Ok ann");
}

// A look-up without a login says nothing of passwords.
TEST_F(CachedRequest, LookUpsAndLoginsOfADatabaseThatVerifies) {
  verifying();
  UserLookup what;
  what.user = "joe";
  AuthRequest lookup(*settings_, world_, what);
  EXPECT_EQ(finish(lookup, lookup.begin(), found(std::nullopt, {{"host", "a"}}), false), "asked Ok joe host=a");
  AuthRequest again(*settings_, world_, what);
  EXPECT_EQ(finish(again, again.begin(), DbRow(), false), "Ok joe host=a");
  EXPECT_EQ(login("joe", "wrong", found(std::nullopt, {}, PasswordCheck::Wrong)), "asked Failed joe");
}

TEST_F(CachedRequest, LookUpsShareWithLogins) {
  EXPECT_EQ(login("joe", "secret", found("{PLAIN}secret", {{"host", "a"}})), "asked Ok joe host=a");
  UserLookup what;
  what.user = "joe";
  AuthRequest lookup(*settings_, world_, what);
  EXPECT_EQ(finish(lookup, lookup.begin(), DbRow(), false), "Ok joe host=a");
}

// --- proofs ----------------------------------------------------------------------------

class CachedProof : public CachedRequest {
 protected:
  // A proof that is never right.
  std::string disproved(const std::string& user, DbRow answer = DbRow::broken("not asked")) {
    AuthStart start;
    start.mechanism = "CRAM-MD5";
    auto request = make(std::move(start));
    request->begin();
    return finish(*request, request->respond(SecretString(user + " 00000000000000000000000000000000")),
                  std::move(answer), false);
  }
};

// A proof cannot be made again with another secret, so it is the next attempt that asks.
TEST_F(CachedProof, WrongProofsAskOncePerSuccess) {
  const DbRow row = found("{PLAIN}secret");
  EXPECT_EQ(login("joe", "secret", row), "asked Ok joe");
  EXPECT_EQ(disproved("joe"), "Failed joe");
  EXPECT_EQ(disproved("joe", row), "asked Failed joe");
  EXPECT_EQ(disproved("joe"), "Failed joe");
  EXPECT_EQ(disproved("joe"), "Failed joe");
  EXPECT_EQ(disproved("eve", DbRow::not_found()), "asked Failed eve");
  EXPECT_EQ(disproved("eve"), "Failed eve");
}

TEST_F(CachedProof, WhileTheDatabaseIsDown) {
  EXPECT_EQ(login("joe", "secret", found("{PLAIN}secret")), "asked Ok joe");
  now_ += seconds(3600);
  EXPECT_EQ(disproved("joe", DbRow::broken("down")), "asked Unavailable joe");
  EXPECT_EQ(login("joe", "secret", DbRow::broken("down")), "asked Ok joe");
}

// --- userdbs ---------------------------------------------------------------------------

TEST_F(CachedRequest, UserdbAnswers) {
  conf_.userdbs.push_back(sql("SELECT uid, home FROM users WHERE name = '%u'"));
  ServiceSettings imap;
  imap.name = "imap";
  imap.protocol = "imap";
  imap.executable = "/bin/imap";
  conf_.services.push_back(imap);
  const DbRow row = found("{PLAIN}secret", {{"uid", "1000"}, {"home", "/h"}});
  EXPECT_EQ(login("joe", "secret", row), "asked asked Ok joe uid=1000 home=/h");
  EXPECT_EQ(login("joe", "secret"), "Ok joe uid=1000 home=/h");
  now_ += seconds(3600);
  EXPECT_EQ(login("joe", "secret", DbRow::broken("down")), "asked asked Ok joe uid=1000 home=/h");
}

}  // namespace
}  // namespace postern
