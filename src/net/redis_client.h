// Redis without blocking: commands over one connection in our event loop, to the first of several servers that answers.
#ifndef POSTERN_NET_REDIS_CLIENT_H
#define POSTERN_NET_REDIS_CLIENT_H

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "event/loop.h"
#include "net/redis_protocol.h"
#include "net/redis_uri.h"
#include "net/resolver.h"

namespace postern {

// Connects with the first command, and again when there is one and the connection has gone. A server that cannot be
// reached, refuses us or owes a reply for too long is left alone for 1 s, 5 s, then 15 s each time (AUTH-18); the
// others are tried in their order. What a lost connection owed is asked once more, of the next one.
class RedisClient {
 public:
  struct Options {
    std::vector<RedisServer> servers{};   // in the order to try
    Milliseconds connect_timeout{5'000};  // per address, and for the first words with a server
    Milliseconds timeout{5'000};     // for a reply; a command fails after the sum of both, whatever happens meanwhile
    size_t max_commands = 10'000;    // under way or waiting; one more fails at once
    size_t max_reply = 1024 * 1024;  // bytes
  };
  // The reply, which may be the server's Error; or why there is none, without anything of the command.
  using Done = std::function<void(Result<RedisReply>)>;

  // `resolver` outlives it: for servers with names.
  RedisClient(Loop& loop, Resolver& resolver, Options options);
  // Commands under way end without an answer.
  ~RedisClient();
  RedisClient(const RedisClient&) = delete;
  RedisClient& operator=(const RedisClient&) = delete;

  // `words`: the command and its arguments, any bytes. One that is lost may have been carried out, and is still asked
  // again. `done` is called once, never before this returned.
  void send(std::span<const std::string_view> words, Done done);

 private:
  struct Command {
    SecretString bytes;
    Done done;            // null: one of our own, before the others
    Instant deadline{};   // for the answer
    Instant reply_due{};  // once sent
    bool again = false;   // a connection was lost with it
  };
  // A server and how it fared.
  struct Candidate {
    RedisServer server;
    Instant not_before{};
    Milliseconds pause{0};
  };
  enum class State : uint8_t { Apart, Resolving, Connecting, Greeting, Ready };

  // What there is to do now, and when to look again.
  void proceed();
  void expire(Instant now);
  void set_timer(Instant now);
  // connecting
  void choose_server(Instant now);
  void take_addresses(const Result<std::vector<IpAddress>>& addresses);
  void connect_next();
  void connect_to(const RedisServer& server, const Endpoint& to);
  void connected();
  void greet();
  // talking
  void transmit();
  void receive();
  void take(RedisReply reply);
  void on_ready(short what);
  // The connection is of no more use; a server to blame is left alone for a while.
  void lose(std::string why, bool blame);
  void blame();
  void give_back(const std::string& why);
  void end(Command& command, Result<RedisReply> result);

  Loop& loop_;
  Resolver& resolver_;
  Options options_;
  std::vector<Candidate> candidates_;
  size_t at_ = 0;  // whom we talk to, or try
  State state_ = State::Apart;
  std::deque<Command> waiting_, sent_;
  std::deque<Endpoint> addresses_;  // of the server, not tried yet
  std::string last_why_ = "no connection";
  Instant step_due_{};     // Resolving to Greeting: by when
  Instant retry_at_{};     // Apart with commands: nobody can be asked before
  bool answered_ = false;  // this connection has said something useful
  Fd socket_;
  Watch watch_;
  std::unique_ptr<RedisReader> reader_;
  SecretString out_;    // not written yet
  size_t written_ = 0;  // of out_
  Timer timer_;
  uint64_t attempt_ = 0;  // answers of the resolver to an earlier one are late
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace postern

#endif
