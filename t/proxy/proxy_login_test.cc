#include "proxy/proxy_login.h"

#include "proto/pop3/protocol.h"
#include "proxy/sockets.h"

namespace postern {
namespace {

using test::run_until;

// A backend that plays one line after the other, accepted by hand.
struct ScriptedBackend {
  ScriptedBackend() : listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof a;
    EXPECT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&a), size), 0);
    ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&a), &size);
    port = ntohs(a.sin_port);
  }
  void open() { EXPECT_EQ(::listen(listener.get(), 16), 0); }
  bool accepted() {
    if (!peer) peer.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    return static_cast<bool>(peer);
  }
  void say(std::string_view text) const {
    EXPECT_EQ(::write(peer.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  bool heard(std::string_view text) {
    if (peer) test::drain_into(peer, input);
    return input.find(text) != std::string::npos;
  }
  Fd listener, peer;
  uint16_t port = 0;
  std::string input;
};

struct ProxyLoginTest : testing::Test, ProxyLogin::Owner {
  void proxy_accepted(BackendReply reply) override { accepted = reply.line; }
  void proxy_failed(BackendFailure f, std::string line) override {
    failure = f.what;
    log_line = std::move(line);
  }
  void proxy_forward(std::string_view) override {}
  void proxy_retry(std::string_view why) override { retries.emplace_back(why); }
  void proxy_odd(std::string_view what) override { oddities.emplace_back(what); }

  static ProxyOptions quick() {
    ProxyOptions o;
    o.timeout = Milliseconds(5000);
    o.max_reconnects = 0;
    o.retry_pause = Milliseconds(10);
    return o;
  }
  void start(std::vector<IpAddress> addresses, uint16_t port) {
    ProxyRoute route;
    route.host = "backend";
    route.addresses = std::move(addresses);
    route.port = port;
    BackPlan plan;
    plan.user = "joe";
    plan.password = SecretString("pw");
    plan.forward.forward = forward;
    route.source = user_source;
    route.preamble = preamble;
    login = std::make_unique<ProxyLogin>(ProxyWorld{loop, backends, sources, pool}, kPop3.back, options,
                                         std::move(route), std::move(plan), *this);
    login->start();
  }
  void serve_login(ScriptedBackend& b) {
    ASSERT_TRUE(run_until(loop, [&] { return b.accepted(); }));
    b.say("+OK ready\r\n");
    ASSERT_TRUE(run_until(loop, [&] { return b.heard("USER joe\r\n"); }));
    b.say("+OK\r\n");
    ASSERT_TRUE(run_until(loop, [&] { return b.heard("PASS pw\r\n"); }));
    b.say("+OK Logged in.\r\n+OK extra\r\n");
    ASSERT_TRUE(run_until(loop, [&] { return accepted.has_value(); }));
  }

  const IpAddress localhost = *IpAddress::parse("127.0.0.1");
  Loop loop;
  Backends backends{loop};
  SourceAddresses sources;
  std::optional<IpAddress> user_source;
  RelayPool pool{Milliseconds(60000)};
  ProxyOptions options = quick();
  std::unique_ptr<ProxyLogin> login;
  std::optional<std::string> accepted;
  std::optional<FailureClass> failure;
  std::string log_line, preamble;
  FieldList forward;
  std::vector<std::string> retries, oddities;
};

TEST_F(ProxyLoginTest, LogsInAndHandsOverWhatFollowed) {
  ScriptedBackend b;
  b.open();
  start({localhost}, b.port);
  serve_login(b);
  EXPECT_EQ(login->take_leftover(), "+OK extra\r\n");
  EXPECT_TRUE(login->take_stream().is_open());
}

TEST_F(ProxyLoginTest, SaysWhyAConnectionWasRefused) {
  ScriptedBackend closed;  // bound, not listening
  start({localhost}, closed.port);
  ASSERT_TRUE(run_until(loop, [&] { return failure.has_value(); }));
  EXPECT_EQ(*failure, FailureClass::Connect);
  EXPECT_TRUE(log_line.starts_with("connect(127.0.0.1, " + std::to_string(closed.port) +
                                   ") failed: Connection refused (after 0 secs"))
      << log_line;
}

// Several addresses: the next one is tried at once, without counting as a reconnect.
TEST_F(ProxyLoginTest, TriesTheNextAddress) {
  ScriptedBackend b;
  b.open();
  start({*IpAddress::parse("127.0.0.77"), localhost}, b.port);
  serve_login(b);
  EXPECT_EQ(login->destination().ip, localhost);
  EXPECT_EQ(login->reconnects(), 0u);
  EXPECT_EQ(retries.size(), 1u);
}

// ALG-30
TEST_F(ProxyLoginTest, ConnectsAgainAfterABackendClosed) {
  options.max_reconnects = 2;
  ScriptedBackend b;
  b.open();
  start({localhost}, b.port);
  ASSERT_TRUE(run_until(loop, [&] { return b.accepted(); }));
  b.peer.reset();
  serve_login(b);
  EXPECT_EQ(login->reconnects(), 1u);
}

TEST_F(ProxyLoginTest, DoesNotTryAgainAfterARefusal) {
  options.max_reconnects = 2;
  ScriptedBackend b;
  b.open();
  start({localhost}, b.port);
  ASSERT_TRUE(run_until(loop, [&] { return b.accepted(); }));
  b.say("+OK ready\r\n");
  ASSERT_TRUE(run_until(loop, [&] { return b.heard("USER joe\r\n"); }));
  b.say("-ERR no such user\r\n");
  ASSERT_TRUE(run_until(loop, [&] { return failure.has_value(); }));
  EXPECT_EQ(*failure, FailureClass::Auth);
  EXPECT_EQ(login->reconnects(), 0u);
  EXPECT_TRUE(log_line.starts_with("Login failed: ")) << log_line;
}

TEST_F(ProxyLoginTest, TimesOutWithTheStateInTheLog) {
  options.timeout = Milliseconds(50);
  ScriptedBackend b;
  b.open();
  start({localhost}, b.port);
  ASSERT_TRUE(run_until(loop, [&] { return failure.has_value(); }));
  EXPECT_EQ(*failure, FailureClass::Connect);
  EXPECT_TRUE(log_line.starts_with("Login timed out in state=banner (after 0 secs")) << log_line;
}

TEST_F(ProxyLoginTest, TellsWhatCouldNotBeForwarded) {
  forward = {{"note", std::string(2000, 'x')}};
  ScriptedBackend b;
  b.open();
  start({localhost}, b.port);
  ASSERT_TRUE(run_until(loop, [&] { return b.accepted(); }));
  b.say("+OK [XCLIENT] ready\r\n");
  ASSERT_TRUE(run_until(loop, [&] { return b.heard("USER joe\r\n"); }));
  b.say("+OK\r\n+OK\r\n");
  ASSERT_TRUE(run_until(loop, [&] { return b.heard("PASS pw\r\n"); }));
  EXPECT_EQ(oddities,
            (std::vector<std::string>{"XCLIENT without FORWARD: the forward_ fields are too long for one line"}));
  EXPECT_TRUE(retries.empty());
}

TEST_F(ProxyLoginTest, RefusesAnEndlessLine) {
  ScriptedBackend b;
  b.open();
  start({localhost}, b.port);
  ASSERT_TRUE(run_until(loop, [&] { return b.accepted(); }));
  b.say("+OK " + std::string(8000, 'x'));
  ASSERT_TRUE(run_until(loop, [&] { return failure.has_value(); }));
  EXPECT_EQ(*failure, FailureClass::Protocol);
}

TEST_F(ProxyLoginTest, MayBeDestroyedAtAnyTime) {
  ScriptedBackend b;
  b.open();
  start({localhost}, b.port);
  ASSERT_TRUE(run_until(loop, [&] { return b.accepted(); }));
  login.reset();
  std::string rest;
  EXPECT_TRUE(run_until(loop, [&] { return !test::drain_into(b.peer, rest); }));
  EXPECT_FALSE(failure.has_value());
}

// A PROXY header comes before anything else, on each connection.
TEST_F(ProxyLoginTest, SendsThePreambleFirst) {
  options.max_reconnects = 1;
  preamble = "PROXY UNKNOWN\r\n";
  ScriptedBackend b;
  b.open();
  start({localhost}, b.port);
  ASSERT_TRUE(run_until(loop, [&] { return b.accepted() && b.heard(preamble); }));
  b.peer.reset();
  b.input.clear();
  serve_login(b);
  EXPECT_EQ(b.input, preamble + "USER joe\r\nPASS pw\r\n");
  EXPECT_EQ(login->reconnects(), 1u);
}

TEST_F(ProxyLoginTest, SaysWhyAConnectionForAPreambleWasRefused) {
  preamble = "PROXY UNKNOWN\r\n";
  ScriptedBackend closed;  // bound, not listening
  start({localhost}, closed.port);
  ASSERT_TRUE(run_until(loop, [&] { return failure.has_value(); }));
  EXPECT_EQ(*failure, FailureClass::Connect);
  EXPECT_NE(log_line.find("Connection refused"), std::string::npos) << log_line;
}

// A missing source address is our trouble, not the backend's.
TEST_F(ProxyLoginTest, FailsAtOnceWhenTheSourceIsNotOurs) {
  options.max_reconnects = 3;
  std::vector<std::string> errors;
  sources = SourceAddresses({"192.0.2.1"}, errors);
  ScriptedBackend b;
  b.open();
  start({localhost}, b.port);
  ASSERT_TRUE(run_until(loop, [&] { return failure.has_value(); }));
  EXPECT_EQ(*failure, FailureClass::Internal);
  EXPECT_NE(log_line.find("login_source_ips"), std::string::npos) << log_line;
  EXPECT_EQ(login->reconnects(), 0u);
}

TEST_F(ProxyLoginTest, NamesASourceOfTheUserThatIsNotOurs) {
  options.max_reconnects = 3;
  user_source = IpAddress::parse("192.0.2.1");
  ScriptedBackend b;
  b.open();
  start({localhost}, b.port);
  ASSERT_TRUE(run_until(loop, [&] { return failure.has_value(); }));
  EXPECT_EQ(*failure, FailureClass::Internal);
  EXPECT_NE(log_line.find("source_ip 192.0.2.1"), std::string::npos) << log_line;
  EXPECT_EQ(log_line.find("login_source_ips"), std::string::npos) << log_line;
  EXPECT_EQ(login->reconnects(), 0u);
}

}  // namespace
}  // namespace postern
