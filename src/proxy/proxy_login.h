// Logging a user in at his backend: connections, TLS, the protocol's script, and new attempts when one
// fails for now (ALG-30 ff.). Ends with a stream ready to be relayed, or with a failure.
#ifndef POSTERN_PROXY_PROXY_LOGIN_H
#define POSTERN_PROXY_PROXY_LOGIN_H

#include <memory>
#include <optional>
#include <string>

#include "net/source_addresses.h"
#include "proto/protocol.h"
#include "proxy/backends.h"
#include "proxy/relay.h"
#include "proxy/route.h"
#include "tls/stream.h"

namespace postern {

// What all proxy logins of a process share.
struct ProxyWorld {
  Loop& loop;
  Backends& backends;
  SourceAddresses& sources;
  RelayPool& pool;
};

// From the settings.
struct ProxyOptions {
  Milliseconds timeout{30000};     // login_proxy_timeout, one attempt
  unsigned max_reconnects = 3;     // login_proxy_max_reconnects
  Milliseconds retry_pause{1000};  // login_proxy_reconnect_delay, CONST-14
  Milliseconds immediate_failure_after{30000};
  ScriptRunner::Limits limits;
  const TlsContext* tls = nullptr;  // towards backends; null: TLS cannot be used
  std::string tls_error;            // why `tls` is null
  bool require_valid_cert = true;   // ssl_client_require_valid_cert
};

class ProxyLogin {
 public:
  class Owner {
   public:
    // The backend took the login: take stream(), leftover() and backend().
    virtual void proxy_accepted(BackendReply reply) = 0;
    // It is over; nothing is left open. `log_line` is what the log is to say ("connect(...) failed: ...").
    virtual void proxy_failed(BackendFailure failure, std::string log_line) = 0;
    // Bytes for the client before the outcome (PXI-19).
    virtual void proxy_forward(std::string_view bytes) = 0;
    // An attempt failed and another follows.
    virtual void proxy_retry(std::string_view why) = 0;
    // The backend did something odd that does not stop the login (PXI-19); told a few times at most.
    virtual void proxy_odd(std::string_view what) = 0;

   protected:
    ~Owner() = default;
  };

  // `route` gives addresses and TLS; `plan` the rest of the dialogue, destuser and password among it.
  ProxyLogin(ProxyWorld world, const BackSide& back, const ProxyOptions& options, ProxyRoute route, BackPlan plan,
             Owner& owner);
  // Ending it early closes what is open; the owner is not called any more.
  ~ProxyLogin();

  // Starts the first attempt. The owner is called from the loop only, never from here.
  void start();

  const ProxyRoute& route() const { return route_; }
  // The address in use, or last tried.
  Endpoint destination() const { return {route_.addresses[address_], route_.port}; }
  unsigned reconnects() const { return reconnects_; }
  IpAddress source() const { return source_; }
  Instant started() const { return first_start_; }
  // "login/id" for time-outs of the whole login (IMAP-102).
  std::string state_words() const { return script_ ? script_->state_words(back_side_.state_form) : "none"; }
  // Bytes sent to the backend in this attempt (LOG-11).
  uint64_t bytes_sent() const { return bytes_sent_; }

  Stream take_stream() { return std::move(stream_); }
  // To be called once somebody else watches the stream: in this order the kernel need not hear of it.
  void let_go() { watch_.stop(); }
  std::string take_leftover() { return std::move(in_); }
  BackendRef take_backend() { return std::move(backend_); }

 private:
  enum class Phase : uint8_t { Idle, Connecting, Handshake, Script, Waiting, Done };

  void begin_attempt();
  bool connect_from_any_source(const Endpoint& to);
  std::string no_source() const;
  void on_connected();
  bool send_preamble();
  Fd connect_from(const IpAddress& source, const Endpoint& to, int& error);
  void begin_tls();
  void continue_handshake();
  void begin_script();
  void on_ready(short what);
  void on_readable();
  void feed(std::string_view data);
  void act_on(ScriptOutput& out);
  void send(std::string_view data);
  void flush();
  void mark_connected();
  void accept(BackendReply reply);
  void connection_lost(IoResult result);
  void on_timeout();
  void fail(FailureClass what, std::string line, BackendFailure failure = {});
  void give_up(FailureClass what, std::string line, BackendFailure failure = {});
  bool try_again(FailureClass what);
  void finish_failed();
  void drop_connection();
  std::string place() const;  // "after 1 secs, 1 reconnects, local=..."
  long seconds_since_start() const;

  ProxyWorld world_;
  const BackSide& back_side_;
  ProxyOptions options_;
  ProxyRoute route_;
  BackPlan plan_;
  Owner& owner_;

  Phase phase_ = Phase::Idle;
  bool tcp_connected_ = false;
  size_t address_ = 0;
  size_t addresses_tried_ = 0;
  unsigned reconnects_ = 0;
  unsigned oddities_ = 0;
  Instant first_start_, attempt_start_;
  IpAddress source_;
  BackendRef backend_;
  Stream stream_;
  Watch watch_;
  Timer timer_;
  std::optional<ScriptRunner> script_;
  std::string in_, out_;
  size_t preamble_sent_ = 0;
  uint64_t bytes_sent_ = 0;
  std::optional<std::pair<BackendFailure, std::string>> outcome_;
};

}  // namespace postern

#endif
