// Limits of the client, with a socket on which nobody answers, or only what a test says. Real servers:
// t/system/redis_test.py.
#include "net/redis_client.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <string>
#include <vector>

#include "config.h"

#ifdef HAVE_HIREDIS

namespace postern {
namespace {

class RedisClientTest : public ::testing::Test {
 protected:
  void SetUp() override {
    listener_ = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ASSERT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    ASSERT_EQ(::listen(listener_.get(), 16), 0);
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    options_.servers.push_back({.host = "127.0.0.1", .port = ntohs(address.sin_port)});
    options_.connect_timeout = options_.timeout = Milliseconds(100);
  }
  // Each connection is told `text` at once.
  void say(std::string text) {
    text_ = std::move(text);
    watch_.start(
        loop_, listener_.get(), EV_READ,
        [](evutil_socket_t fd, short, void* self) {
          auto& test = *static_cast<RedisClientTest*>(self);
          test.connections_.emplace_back(::accept(fd, nullptr, nullptr));
          ::send(test.connections_.back().get(), test.text_.data(), test.text_.size(), MSG_NOSIGNAL);
        },
        this);
  }
  void ask(RedisClient& client, int times) {
    const std::string_view words[] = {"GET", "secret"};
    for (int i = 0; i < times; ++i)
      client.send(words, [this, i, times](Result<RedisReply> reply) {
        told_.push_back(std::to_string(i) + " " +
                        (reply ? "reply " + std::string(reply->text.reveal()) : reply.error()));
        if (told_.size() == static_cast<size_t>(times)) loop_.stop();
      });
    EXPECT_TRUE(told_.empty()) << "told before send() returned";
    loop_.run();
  }
  std::string place() const { return "127.0.0.1:" + std::to_string(options_.servers[0].port); }

  Loop loop_;
  Resolver resolver_{loop_};
  RedisClient::Options options_;
  Fd listener_;
  Watch watch_;
  std::string text_;
  std::vector<Fd> connections_;
  std::vector<std::string> told_;
};

TEST_F(RedisClientTest, OneCommandTooManyFailsAtOnceAndSilenceInTime) {
  options_.max_commands = 2;
  RedisClient client(loop_, resolver_, options_);
  ask(client, 3);
  const std::string silence = place() + ": no reply in time";
  EXPECT_EQ(told_, (std::vector<std::string>{"2 too many commands under way", "0 " + silence, "1 " + silence}));
}

TEST_F(RedisClientTest, RepliesComeInOrder) {
  say("+one\r\n$3\r\ntwo\r\n");
  RedisClient client(loop_, resolver_, options_);
  ask(client, 2);
  EXPECT_EQ(told_, (std::vector<std::string>{"0 reply one", "1 reply two"}));
}

TEST_F(RedisClientTest, ALongReplyIsNone) {
  options_.max_reply = 1000;
  say("$5000\r\n" + std::string(3000, 'x'));
  RedisClient client(loop_, resolver_, options_);
  ask(client, 1);
  EXPECT_EQ(told_, std::vector<std::string>{"0 " + place() + ": the reply is too long"});
}

TEST_F(RedisClientTest, AnotherProtocolIsNone) {
  say("220 mail.test ESMTP\r\n");
  RedisClient client(loop_, resolver_, options_);
  ask(client, 1);
  EXPECT_EQ(told_, std::vector<std::string>{"0 " + place() + ": this is not Redis' protocol"});
}

TEST_F(RedisClientTest, AServerThatIsLoadingIsLeftForTheNext) {
  say("-LOADING Redis is loading the dataset in memory\r\n");
  options_.servers.push_back({.host = "", .path = "/nowhere/redis.sock"});
  RedisClient client(loop_, resolver_, options_);
  ask(client, 1);
  EXPECT_EQ(told_, std::vector<std::string>{"0 /nowhere/redis.sock: No such file or directory"});
}

TEST_F(RedisClientTest, ARefusedPasswordIsNotTheCommandsReply) {
  say("-WRONGPASS invalid username-password pair or user is disabled.\r\n");
  options_.servers[0].password = SecretString("wrong");
  RedisClient client(loop_, resolver_, options_);
  ask(client, 1);
  EXPECT_EQ(told_, std::vector<std::string>{"0 " + place() + ": it says WRONGPASS"});
}

TEST_F(RedisClientTest, CommandsUnderWayEndWithTheClient) {
  const std::string_view words[] = {"PING"};
  {
    RedisClient client(loop_, resolver_, options_);
    client.send(words, [this](Result<RedisReply>) { told_.emplace_back("told"); });
  }
  loop_.defer([this] { loop_.stop(); });
  loop_.run();
  EXPECT_TRUE(told_.empty());
}

}  // namespace
}  // namespace postern

#endif
