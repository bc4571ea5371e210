// One client connection before login. It has no word of any protocol: the front speaks for it.
#ifndef POSTERN_LOGIN_SESSION_H
#define POSTERN_LOGIN_SESSION_H

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "event/loop.h"
#include "login/auth_client.h"
#include "login/client_side.h"
#include "login/history.h"
#include "login/program_start.h"
#include "login/state_client.h"
#include "proto/front.h"
#include "proxy/proxy_login.h"

namespace postern {

class Worker;

class Session final : public ClientSide::Owner,
                      public AuthClient::Waiter,
                      public ProxyLogin::Owner,
                      public ProgramStart::Owner,
                      public StateClient::Waiter {
 public:
  // As ClientSide's.
  Session(Worker& worker, Fd fd, const Endpoint& remote, const Endpoint& local);

  void start(const BootListener& listener) { side_.start(listener); }
  void auth_ready();
  // The process stops: tells the client and ends (IMAP-105).
  void shut_down();
  // Ends it because newer clients need its place (MASTER-24, IMAP-104).
  void make_way();
  // Who goes first then: clients that only sit there, the oldest of them first. Nothing once a user has logged in.
  struct Expendable {
    bool asked_auth = false;
    Instant since{};
    auto operator<=>(const Expendable&) const = default;
  };
  std::optional<Expendable> expendable() const;
  // The connection lives on in a RelaySession.
  bool became_relay() const { return phase_ == Phase::Relayed; }

  uint32_t roster_place = 0;

 private:
  // Arriving -> AwaitingAuth -> Command <-> Authenticating -> Connecting -> Relayed
  //                                ^                            |
  //                                +---- (refused: try again) --+      any -> Ended
  enum class Phase : uint8_t { Arriving, AwaitingAuth, Command, Authenticating, Connecting, Relayed, Ended };

  // ClientSide::Owner
  void client_begun() override;
  void client_arrived() override;
  void client_secured() override;
  void client_readable() override;
  void client_changed() override;
  void client_lost(std::string reason) override { finish(std::move(reason)); }
  // AuthClient::Waiter
  void auth_challenge(std::string challenge) override;
  void auth_reply(AuthReply reply, Fd program) override;
  void auth_slow() override;
  // ProxyLogin::Owner
  void proxy_accepted(BackendReply reply) override;
  void proxy_failed(BackendFailure failure, std::string log_line) override;
  void proxy_forward(std::string_view bytes) override;
  void proxy_retry(std::string_view why) override;
  void proxy_odd(std::string_view what) override;
  // ProgramStart::Owner
  void program_ready(std::string capabilities) override;
  void program_failed(std::string why) override;
  // StateClient::Waiter
  void place_answered(PlaceAnswer answer) override;

  void greet();
  void process();
  void perform(FrontOutput& out);
  void request(std::monostate) {}
  void request(BeginTls);
  void request(AuthBegin begin);
  void request(AuthResponse response);
  void request(AuthAbort);
  void request(ForwardedFacts facts) { side_.take_forwarded(std::move(facts)); }
  void request(PolicyRefusal refusal);
  void request(Farewell farewell);
  AuthStart auth_start(AuthBegin begin) const;

  void route(AuthReply reply);
  void go(ProxyRoute& route);
  void go(RefusedRoute& route);
  void go(LocalRoute& route);
  void go_to_relay_host();
  bool is_limited() const;  // how many sessions a user may have through us
  ReserveSession wished_place() const;
  void start_proxy(ProxyRoute route);
  BackPlan plan_for(ProxyRoute& route) const;
  // What the client talks to from now on.
  struct Other {
    Stream stream;
    std::string leftover;  // what it said behind its acceptance
    BackendRef backend;    // none: a mail program
    std::string prefix;    // of the last log line
    uint64_t sent = 0;
  };
  void become_relay(Other other, const std::string& elements);
  SessionStarted told_to_state() const;
  void answer(Answer answer);
  void drop_destination();
  void temporary_failure(AnswerKind kind = AnswerKind::TempFail);

  void on_deadline();
  // Tells the client, logs and ends.
  void end(std::string_view reason, std::string_view goodbye = {}, Parting why = Parting::Idle);
  // Logs "Disconnected: <reason> (<what happened>)" and ends.
  void finish(std::string reason);

  void log(LogLevel level, std::string_view event, std::string_view message) const {
    log_with(side_.elements(), level, event, message);
  }
  void log_with(std::string_view elements, LogLevel level, std::string_view event, std::string_view message) const;
  bool is_over() const { return phase_ == Phase::Ended || phase_ == Phase::Relayed; }
  std::string proxy_prefix() const;

  Worker& worker_;
  Phase phase_ = Phase::Arriving;
  ClientSide side_;
  LoginHistory history_;
  std::unique_ptr<Front> front_;
  Timer deadline_;
  AuthTicket ticket_;
  Instant decided_{};                       // auth has answered
  SessionPlace place_;                      // where a limit is set
  std::unique_ptr<ProxyRoute> held_route_;  // until there is one
  std::unique_ptr<ProxyLogin> proxy_;
  struct Program {  // the user's mail program, until its socket is the relay's
    ProgramStart start;
    LocalRoute route{};
  };
  std::unique_ptr<Program> program_;
};

}  // namespace postern

#endif
