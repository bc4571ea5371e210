// One client connection before login. It has no word of any protocol: the front speaks for it.
#ifndef POSTERN_LOGIN_SESSION_H
#define POSTERN_LOGIN_SESSION_H

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "event/loop.h"
#include "login/auth_client.h"
#include "login/client.h"
#include "login/header_reader.h"
#include "login/history.h"
#include "login/program_start.h"
#include "login/view.h"
#include "proto/front.h"
#include "proxy/proxy_login.h"
#include "tls/stream.h"

namespace postern {

class Worker;

class Session final : public AuthClient::Waiter, public ProxyLogin::Owner, public ProgramStart::Owner {
 public:
  // A connection from `remote` that reached us at `local`.
  Session(Worker& worker, Fd fd, const Endpoint& remote, const Endpoint& local);
  ~Session();

  // `listener`: where it came in.
  void start(const BootListener& listener);
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
  // ProxyHeader -> Handshake -> AwaitingAuth -> Command <-> Authenticating -> Connecting -> Relayed
  //                    ^                          |  ^                            |
  //                    +----- (STARTTLS) ---------+  +---- (refused: try again) --+      any -> Ended
  enum class Phase : uint8_t { ProxyHeader, Handshake, AwaitingAuth, Command, Authenticating, Connecting, Relayed, Ended };

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

  void choose_view();
  void update_facts();
  void await_header();
  void on_header();
  void take_header(const ProxyHeader& header);
  void refuse_header(std::string_view why);
  void begin();
  void begin_handshake();
  void continue_handshake();
  static TlsContext* choose_context(void* self, std::string_view name);
  void await_auth();
  void greet();

  void on_ready(short what);
  void on_readable();
  void pause_or_leave();
  void process();
  void perform(FrontOutput& out);
  void request(std::monostate) {}
  void request(BeginTls);
  void request(AuthBegin begin);
  void request(AuthResponse response);
  void request(AuthAbort);
  void request(ForwardedFacts facts);
  void request(PolicyRefusal refusal);
  void request(Farewell farewell);
  AuthStart auth_start(AuthBegin begin) const;

  void route(AuthReply reply);
  void go(ProxyRoute& route);
  void go(RefusedRoute& route);
  void go(LocalRoute& route);
  void go_to_relay_host();
  void start_proxy(ProxyRoute route);
  BackPlan plan_for(ProxyRoute& route) const;
  ProxyHeader told_header() const;
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

  void write(std::string_view bytes);
  void flush();
  void on_deadline();
  void closed_by_client(IoResult result);
  // Tells the client, logs and ends.
  void end(std::string_view reason, std::string_view goodbye = {}, Parting why = Parting::Idle);
  // Logs "Disconnected: <reason> (<what happened>)" and ends.
  void finish(std::string reason);

  void log(LogLevel level, std::string_view event, std::string_view message) const;
  void log_with(std::string_view elements, LogLevel level, std::string_view event, std::string_view message) const;
  std::string proxy_prefix() const;

  Worker& worker_;
  // The connection as it reached the first of our machines: what counts for trust (IMAP-8, SUB-33). A load balancer's
  // PROXY header changes it, what a trusted peer says later does not.
  struct Door {
    Endpoint remote, local;
    bool tls_before = false;   // the balancer took TLS off
    bool tls_first = false;    // the listener has implicit TLS
  };

  Phase phase_ = Phase::Handshake;
  bool starttls_ = false;        // the handshake under way was asked for in the clear
  bool flush_then_tls_ = false;
  ClientInfo client_;
  Door door_;
  std::unique_ptr<HeaderReader> header_;
  ConnectionFacts facts_;
  LoginHistory history_;
  std::shared_ptr<const View> view_;
  std::unique_ptr<Front> front_;
  Stream stream_;
  Watch watch_;
  Timer deadline_;
  std::string in_, out_;
  uint64_t bytes_out_ = 0;
  AuthTicket ticket_;
  Instant decided_{};   // auth has answered
  std::unique_ptr<ProxyLogin> proxy_;
  struct Program {  // the user's mail program, until its socket is the relay's
    ProgramStart start;
    LocalRoute route{};
  };
  std::unique_ptr<Program> program_;
};

}  // namespace postern

#endif
