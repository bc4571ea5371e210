// The auth process with real sockets: a login process on one side, workers on the other.
#include "auth/service.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <map>

#include "auth/worker.h"
#include "base/log.h"
#include "support/captured_log.h"
#include "support/movable_clock.h"

namespace postern {
namespace {

using namespace std::string_literals;

// The login process' end.
struct FakeLogin {
  FakeLogin(Loop& loop, Fd socket)
      : loop_(loop),
        channel(loop, std::move(socket), Role::Login, Role::Auth,
                {[this](std::string_view p, std::span<Fd> fds) {
                   EXPECT_TRUE(dispatch(p, fds, Role::Auth, Role::Login, *this));
                 },
                 [this](std::string_view) {
                   lost = true;
                   loop_.stop();
                 }}) {}
  void on(const AuthHello&) { hello = true; }
  void on(const AuthChallenge& c) {
    order.push_back("challenge " + std::to_string(c.id) + " " + c.challenge);
    loop_.stop();
  }
  void on(const AuthReply& r, std::span<Fd> descriptors) {
    order.push_back("reply " + std::to_string(r.id));
    replies[r.id] = r;
    if (!descriptors.empty()) program = std::move(descriptors[0]);
    loop_.stop();
  }

  void start(uint64_t id, const std::string& user, const std::string& password, const std::string& ip = "192.0.2.1") {
    AuthStart m;
    m.id = id;
    m.mechanism = "PLAIN";
    m.initial.emplace("\0"s + user + "\0"s + password);
    m.subject.remote = {*IpAddress::parse(ip), 1};
    channel.send(m);
  }

  Loop& loop_;
  Fd program;  // came with a reply
  bool hello = false, lost = false;
  std::vector<std::string> order;
  std::map<uint64_t, AuthReply> replies;
  Channel channel;
};

// A worker that answers when told, or as the real one does.
struct FakeWorker {
  FakeWorker(Loop& loop, Fd socket, bool automatic)
      : automatic_(automatic),
        channel(std::make_unique<Channel>(loop, std::move(socket), Role::AuthWorker, Role::Auth,
                                          Channel::Events{[this](std::string_view p, std::span<Fd> fds) {
                                                            EXPECT_TRUE(
                                                                dispatch(p, fds, Role::Auth, Role::AuthWorker, *this));
                                                          },
                                                          [](std::string_view) {}})) {}
  void on(const WorkerLookup& what) {
    ++lookups;
    last_id = what.id;
    if (!automatic_) return;
    WorkerRow row;
    row.id = what.id;
    row.result = LookupResult::Found;
    row.has_password = true;
    row.password = SecretString("{PLAIN}secret");
    channel->send(row);
  }
  void on(const WorkerVerify&) { ADD_FAILURE() << "no slow hashes here"; }

  bool automatic_;
  int lookups = 0;
  uint64_t last_id = 0;
  std::unique_ptr<Channel> channel;
};

class Service : public testing::Test {
 protected:
  void open() {
    conf_.settings.set(Key::auth_mechanisms, std::vector<std::string>{"plain", "login", "xoauth2"});
    conf_.settings.set(Key::auth_penalty, penalty_);
    auto settings = AuthSettings::compile(conf_);
    ASSERT_TRUE(settings) << settings.error();
    pool_ = std::make_unique<WorkerPool>(loop_, limits_, [this](uint32_t) { ++asked_; });
    service_ =
        std::make_unique<AuthService>(loop_, clock_, *pool_, resolver_, std::move(*settings), [this] { idle_ = true; });
    login_ = add_login();
  }
  std::unique_ptr<FakeLogin> add_login() {
    auto pair = make_channel_pair();
    service_->add_login(std::move(pair->first), 1);
    return std::make_unique<FakeLogin>(loop_, std::move(pair->second));
  }
  FakeWorker& add_worker(bool automatic) {
    auto pair = make_channel_pair();
    workers_.push_back(std::make_unique<FakeWorker>(loop_, std::move(pair->second), automatic));
    pool_->add_worker(std::move(pair->first), 2);
    return *workers_.back();
  }
  void passdb(const std::string& driver, const std::string& args) {
    DatabaseSettings s;
    s.driver = driver;
    s.args = args;
    s.driver_settings = {{"sql_driver", "sqlite"},
                         {"sql_connect", "/x"},
                         {"sql_password_query", "SELECT password FROM t WHERE u = '%u'"}};
    conf_.passdbs.push_back(s);
  }
  template <class Done>
  void run_until(Done done) {
    for (int turns = 0; turns < 1000 && !done(); ++turns) {
      loop_.defer([this] {
        guard_.start(
            loop_, Milliseconds(20), [](void* l) { static_cast<Loop*>(l)->stop(); }, &loop_);
      });
      loop_.run();
    }
    EXPECT_TRUE(done());
  }
  // The loop turns until nothing happens for a moment.
  void settle() {
    guard_.start(
        loop_, Milliseconds(5), [](void* l) { static_cast<Loop*>(l)->stop(); }, &loop_);
    loop_.run();
  }
  AuthResult result(uint64_t id) {
    run_until([&] { return login_->replies.contains(id); });
    return login_->replies[id].result;
  }

  CapturedLog log_;
  Configuration conf_;
  WorkerPool::Limits limits_;
  Loop loop_;
  MovableClock clock_;
  Resolver resolver_{loop_, {"/dev/null", "/dev/null"}};
  int asked_ = 0;
  bool idle_ = false, penalty_ = false;
  std::unique_ptr<WorkerPool> pool_;
  std::unique_ptr<AuthService> service_;
  std::unique_ptr<FakeLogin> login_;
  std::vector<std::unique_ptr<FakeWorker>> workers_;
  Timer guard_;
};

// LMTP-3: no password, no delay, and the message goes with the order for its program.
TEST_F(Service, DeliversByTheMaster) {
  ServiceSettings program;
  program.protocol = program.name = "lmtp";
  program.executable = "/bin/deliver %u";
  conf_.services.push_back(program);
  passdb("static", "nopassword=y");
  DatabaseSettings users;
  users.driver = "static";
  users.args = "uid=5000 gid=5000";
  conf_.userdbs.push_back(users);
  std::vector<StartMail> orders;
  std::string message;
  MailStarts starts([&](const StartMail& order, std::vector<Fd> descriptors) {
    orders.push_back(order);
    char buffer[16];
    ASSERT_EQ(descriptors.size(), 1u);
    message.assign(buffer, static_cast<size_t>(::read(descriptors[0].get(), buffer, sizeof buffer)));
  });
  open();
  service_->order_mail_from(starts);
  UserLookup question;
  question.id = 1;
  question.user = "joe";
  question.subject.service = "lmtp";
  question.deliver = true;
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  ASSERT_EQ(::write(ends[1], "the mail", 8), 8);
  ::close(ends[1]);
  std::vector<Fd> descriptors;
  descriptors.push_back(Fd(ends[0]));
  login_->channel.send(question, std::move(descriptors));
  run_until([&] { return orders.size() == 1; });
  EXPECT_TRUE(orders[0].delivery);
  EXPECT_EQ(orders[0].user, "joe");
  EXPECT_EQ(message, "the mail");
  EXPECT_TRUE(login_->replies.empty()) << "not before it runs";
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  ::close(ends[1]);
  starts.on(MailStarted{orders[0].id, 77, {}, false}, Fd(ends[0]));
  EXPECT_EQ(result(1), AuthResult::Ok);
  EXPECT_TRUE(login_->replies[1].is_local);
  EXPECT_EQ(login_->replies[1].mail_pid, 77u);
  EXPECT_TRUE(static_cast<bool>(login_->program)) << "where its end will be told";
}

TEST_F(Service, ALookupThatFailsIsAnsweredAtOnce) {
  passdb("passwd-file", "/nonexistent/users");
  open();
  UserLookup question;
  question.id = 1;
  question.user = "joe";
  question.subject.service = "lmtp";
  login_->channel.send(question);
  EXPECT_EQ(result(1), AuthResult::Unavailable) << "the clock stands still";
}

TEST_F(Service, HelloAndReply) {
  passdb("static", "proxy=y host=10.0.0.1 nopassword=y");
  open();
  login_->start(1, "joe", "secret");
  EXPECT_EQ(result(1), AuthResult::Ok);
  EXPECT_TRUE(login_->hello);
  EXPECT_EQ(login_->replies[1].user, "joe");
  EXPECT_EQ(login_->replies[1].password->reveal(), "secret");
  EXPECT_EQ(service_->requests(), 0u);
}

TEST_F(Service, Exchange) {
  passdb("static", "nopassword=y");
  open();
  AuthStart m;
  m.id = 9;
  m.mechanism = "LOGIN";
  login_->channel.send(m);
  run_until([&] { return login_->order.size() == 1; });
  login_->channel.send(AuthContinue{9, SecretString("joe")});
  run_until([&] { return login_->order.size() == 2; });
  login_->channel.send(AuthContinue{9, SecretString("x")});
  EXPECT_EQ(result(9), AuthResult::Ok);
  EXPECT_EQ(login_->order, (std::vector<std::string>{"challenge 9 Username:", "challenge 9 Password:", "reply 9"}));
  // Answers to what is over, or to no challenge, are nobody's fault.
  login_->channel.send(AuthContinue{9, SecretString("x")});
  settle();
  EXPECT_FALSE(login_->lost);
}

TEST_F(Service, FailuresWaitSuccessesDoNot) {  // AUC-1
  passdb("static", "password=secret");
  conf_.settings.set(Key::auth_failure_delay, int64_t{1});
  open();
  login_->start(1, "joe", "wrong");
  login_->start(2, "joe", "secret");
  EXPECT_EQ(result(1), AuthResult::Failed);
  EXPECT_EQ(login_->order, (std::vector<std::string>{"reply 2", "reply 1"}));
}

TEST_F(Service, NoDelayWhenSetToZero) {
  passdb("static", "password=secret");
  conf_.settings.set(Key::auth_failure_delay, int64_t{0});
  open();
  login_->start(1, "joe", "wrong");
  login_->start(2, "joe", "secret");
  result(2);
  EXPECT_EQ(login_->order, (std::vector<std::string>{"reply 1", "reply 2"}));
}

// AUC-10: before the next attempt of the address is looked at, also a good one.
TEST_F(Service, PenaltyOfAnAddress) {
  passdb("static", "password=secret");
  conf_.settings.set(Key::auth_failure_delay, int64_t{0});
  penalty_ = true;
  open();
  login_->start(1, "joe", "wrong");
  EXPECT_EQ(result(1), AuthResult::Failed);
  login_->start(2, "joe", "secret");
  login_->start(3, "ann", "wrong");
  settle();
  EXPECT_EQ(login_->replies.size(), 1u);
  EXPECT_EQ(service_->requests(), 2u);
  login_->start(4, "bob", "secret", "192.0.2.2");
  EXPECT_EQ(result(4), AuthResult::Ok) << "another address";
  clock_.ahead = std::chrono::seconds(4);
  login_->start(5, "joe", "secret");  // arms the timer again
  EXPECT_EQ(result(2), AuthResult::Ok);
  EXPECT_EQ(result(3), AuthResult::Failed);
}

TEST_F(Service, NodelayIsNoPenalty) {  // AUTH-44
  passdb("static", "password=secret nodelay=y");
  penalty_ = true;
  open();
  login_->start(1, "joe", "wrong");
  EXPECT_EQ(result(1), AuthResult::Failed);
  login_->start(2, "joe", "secret");
  EXPECT_EQ(result(2), AuthResult::Ok);
}

// A refused token is told in a challenge: it counts and waits although the client never answers it.
TEST_F(Service, RefusedTokensCount) {
  passdb("static", "password=secret");
  conf_.settings.set(Key::auth_failure_delay, int64_t{0});
  penalty_ = true;
  open();
  AuthStart m;
  m.id = 1;
  m.mechanism = "XOAUTH2";
  m.initial.emplace("user=joe\1auth=Bearer x\1\1");
  m.subject.remote = {*IpAddress::parse("192.0.2.1"), 1};
  login_->channel.send(m);
  run_until([&] { return login_->order.size() == 1; });
  EXPECT_EQ(login_->order[0], R"(challenge 1 {"status":"401","schemes":"bearer","scope":"mail"})");
  login_->start(2, "joe", "secret");
  settle();
  EXPECT_TRUE(login_->replies.empty());
  login_->channel.send(AuthContinue{1, SecretString("")});
  EXPECT_EQ(result(1), AuthResult::Failed);
}

TEST_F(Service, CancelledRequestsGetNoReply) {
  passdb("static", "password=secret");
  open();
  login_->start(1, "joe", "wrong");
  login_->channel.send(AuthCancel{1});
  login_->channel.send(AuthCancel{77});
  login_->start(2, "joe", "secret");
  EXPECT_EQ(result(2), AuthResult::Ok);
  EXPECT_EQ(service_->requests(), 0u);
  service_->finish_all();
  settle();
  EXPECT_EQ(login_->order.size(), 1u);
}

TEST_F(Service, StopReleasesWaitingReplies) {  // AUTH-40
  passdb("static", "password=secret");
  passdb("sql", "");
  open();
  login_->start(1, "joe", "secret");
  login_->start(2, "joe", "wrong");
  result(1);
  service_->finish_all();
  EXPECT_EQ(result(2), AuthResult::Unavailable);
}

TEST_F(Service, BadMessageClosesThatLoginOnly) {  // AUTH-30
  passdb("static", "nopassword=y");
  open();
  auto other = add_login();
  other->start(1, "a", "b");
  other->start(1, "a", "b");  // both end at once: the second is a new request
  run_until([&] { return other->order.size() == 2; });
  AuthStart hanging;
  hanging.id = 5;
  hanging.mechanism = "LOGIN";
  other->channel.send(hanging);
  other->channel.send(hanging);  // the same id while it is under way
  run_until([&] { return other->lost; });
  login_->start(3, "joe", "x");
  EXPECT_EQ(result(3), AuthResult::Ok);
  EXPECT_EQ(service_->peers(), 1u);
  EXPECT_EQ(service_->requests(), 0u);
}

TEST_F(Service, GarbageClosesThatLoginOnly) {
  passdb("static", "nopassword=y");
  open();
  auto pair = make_channel_pair();
  service_->add_login(std::move(pair->first), 3);
  ASSERT_EQ(::write(pair->second.get(), "\xff\xff", 2), 2);
  run_until([&] { return service_->peers() == 1; });
  login_->start(3, "joe", "x");
  EXPECT_EQ(result(3), AuthResult::Ok);
}

TEST_F(Service, LastLoginGoneIsTold) {
  passdb("static", "nopassword=y");
  open();
  login_.reset();
  run_until([&] { return idle_; });
  EXPECT_EQ(service_->peers(), 0u);
}

// --- workers ---------------------------------------------------------------------------

TEST_F(Service, LookupsGoToWorkers) {
  passdb("sql", "");
  open();
  login_->start(1, "joe", "secret");
  run_until([&] { return asked_ == 1; });
  add_worker(true);
  EXPECT_EQ(result(1), AuthResult::Ok);
  login_->start(2, "joe", "secret");
  EXPECT_EQ(result(2), AuthResult::Ok);
  EXPECT_EQ(asked_, 1) << "the idle worker is enough";
}

TEST_F(Service, OneJobPerWorker) {
  passdb("sql", "");
  limits_.workers = 2;
  open();
  FakeWorker& worker = add_worker(false);
  for (uint64_t id = 1; id <= 3; ++id) login_->start(id, "joe", "secret");
  run_until([&] { return worker.lookups == 1; });
  settle();
  EXPECT_EQ(worker.lookups, 1);
  EXPECT_EQ(asked_, 1) << "one more is allowed";
  EXPECT_EQ(pool_->waiting(), 2u);
  worker.automatic_ = true;
  add_worker(true);
  EXPECT_EQ(result(3), AuthResult::Ok);
}

// AUTH-34: what is kept waits for no database, whoever else does.
TEST_F(Service, CachedAnswersNeedNoWorker) {
  passdb("sql", "");
  conf_.settings.set(Key::auth_cache_size, int64_t{1 << 20});
  open();
  FakeWorker& first = add_worker(true);
  login_->start(1, "joe", "secret");
  EXPECT_EQ(result(1), AuthResult::Ok);
  first.channel.reset();
  FakeWorker& busy = add_worker(false);
  for (uint64_t id = 2; id < 10; ++id) login_->start(id, "slow" + std::to_string(id), "secret");
  run_until([&] { return busy.lookups == 1 && pool_->waiting() == 7; });
  login_->start(20, "joe", "secret");
  EXPECT_EQ(result(20), AuthResult::Ok);
  EXPECT_EQ(login_->replies.size(), 2u);
  const CacheStatus status = service_->cache_status();
  EXPECT_EQ(status.entries, 1u);
  EXPECT_EQ(status.hits, 1u);
  EXPECT_EQ(status.misses, 9u);
  EXPECT_EQ(service_->flush_cache(std::vector<std::string>{"ann", "*@d"}), 0u);
  EXPECT_EQ(service_->flush_cache(std::vector<std::string>{"j*"}), 1u);
  login_->start(21, "joe", "secret");
  run_until([&] { return pool_->waiting() == 8; });
}

TEST_F(Service, NoCacheIsEmpty) {
  passdb("static", "nopassword=y");
  open();
  EXPECT_EQ(service_->flush_cache({}), 0u);
  EXPECT_EQ(service_->cache_status().size, 0u);
}

TEST_F(Service, DeadWorkersJobIsTriedOnceMore) {
  passdb("sql", "");
  conf_.settings.set(Key::auth_internal_failure_delay, int64_t{0});
  open();
  FakeWorker& first = add_worker(false);
  login_->start(1, "joe", "secret");
  run_until([&] { return first.lookups == 1; });
  FakeWorker& second = add_worker(false);
  first.channel.reset();
  run_until([&] { return second.lookups == 1; });
  second.channel.reset();
  EXPECT_EQ(result(1), AuthResult::Unavailable);
  EXPECT_EQ(pool_->workers(), 0u);
}

TEST_F(Service, RetiringWorkerGetsNoMore) {
  passdb("sql", "");
  conf_.settings.set(Key::auth_failure_delay, int64_t{0});
  open();
  FakeWorker& worker = add_worker(false);
  login_->start(1, "joe", "secret");
  run_until([&] { return worker.lookups == 1; });
  WorkerRow row;
  row.id = worker.last_id;
  row.result = LookupResult::NotFound;
  row.retires = true;
  worker.channel->send(row);
  EXPECT_EQ(result(1), AuthResult::Failed);
  login_->start(2, "joe", "secret");
  run_until([&] { return asked_ == 1; });
  EXPECT_EQ(worker.lookups, 1);
}

TEST_F(Service, ImpatienceEndsAWorker) {
  passdb("sql", "");
  conf_.settings.set(Key::auth_internal_failure_delay, int64_t{0});
  limits_.patience = Milliseconds(1);
  open();
  add_worker(false);
  login_->start(1, "joe", "secret");
  EXPECT_EQ(result(1), AuthResult::Unavailable);
}

TEST_F(Service, ReplyToACancelledLookupIsForgotten) {
  passdb("sql", "");
  open();
  FakeWorker& worker = add_worker(false);
  login_->start(1, "joe", "secret");
  run_until([&] { return worker.lookups == 1; });
  login_->channel.send(AuthCancel{1});
  run_until([&] { return service_->requests() == 0; });
  worker.automatic_ = true;
  WorkerRow row;
  row.id = worker.last_id;
  worker.channel->send(row);
  login_->start(1, "joe", "secret");  // the same id again
  EXPECT_EQ(result(1), AuthResult::Ok);
  EXPECT_EQ(login_->order.size(), 1u);
}

TEST_F(Service, QueueHasALimit) {
  passdb("sql", "");
  conf_.settings.set(Key::auth_internal_failure_delay, int64_t{0});
  limits_.queued = 2;
  open();
  for (uint64_t id = 1; id <= 3; ++id) login_->start(id, "joe", "secret");
  EXPECT_EQ(result(3), AuthResult::Unavailable);
  EXPECT_EQ(pool_->waiting(), 2u);
}

TEST_F(Service, HostsThatDoNotResolve) {
  passdb("static", "proxy=y host=nowhere.invalid nopassword=y");
  conf_.settings.set(Key::auth_internal_failure_delay, int64_t{0});
  conf_.settings.set(Key::dns_timeout, int64_t{100});
  open();
  login_->start(1, "joe", "x");
  EXPECT_EQ(result(1), AuthResult::Unavailable);
  EXPECT_NE(log_.lines.find("DNS lookup for nowhere.invalid failed: "), std::string::npos) << log_.lines;
}

// --- the worker's own side -------------------------------------------------------------

TEST(Worker, AnswersAndRetires) {
  DatabaseSettings local;
  local.driver = "static";
  Configuration conf;
  conf.passdbs.push_back(local);
  auto databases = WorkerService::open_databases(conf);
  ASSERT_TRUE(databases);
  WorkerService worker(std::move(*databases), 2);
  WorkerVerify verify;
  verify.id = 4;
  verify.stored = SecretString("{PLAIN}a");
  verify.password = SecretString("a");
  const WorkerVerdict verdict = worker.answer(verify);
  EXPECT_EQ(verdict.id, 4u);
  EXPECT_EQ(verdict.result, VerifyResult::Match);
  EXPECT_FALSE(verdict.retires);
  WorkerLookup lookup;
  lookup.database = 0;  // static does not run in workers
  const WorkerRow row = worker.answer(lookup);
  EXPECT_EQ(row.result, LookupResult::Broken);
  EXPECT_TRUE(row.retires);
}

// One look-up is all that its library stands.
class Leaking final : public Database {
 public:
  DbRow lookup(const Variables&, const SecretString*) override { return used_ = true, DbRow::not_found(); }
  bool worn_out() const override { return used_; }

 private:
  bool used_ = false;
};

TEST(Worker, RetiresForADatabase) {  // AUTH-21
  WorkerService::Databases databases;
  databases.passdbs.push_back(std::make_unique<Leaking>());
  databases.passdbs.push_back(nullptr);
  WorkerService worker(std::move(databases), 0);
  WorkerLookup other;
  other.database = 1;
  EXPECT_FALSE(worker.answer(other).retires);
  EXPECT_TRUE(worker.answer(WorkerLookup{}).retires);
  EXPECT_TRUE(worker.retired());
}

TEST(Worker, SentVariables) {
  WorkerLookup lookup;
  lookup.variables = {{"user", "joe"}, {"passdb:host", "h"}};
  const SentVariables v(lookup);
  EXPECT_EQ(v.value(Variable::User, ""), "joe");
  EXPECT_EQ(v.value(Variable::PassdbField, "host"), "h");
  EXPECT_EQ(v.value(Variable::Domain, ""), "");
  EXPECT_EQ(v.value(Variable::Password, ""), "");
}

}  // namespace
}  // namespace postern
