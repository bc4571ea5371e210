// A backend handshake is a table of steps, run by one runner for all protocols (PXI-12 ff., PXP-1 ff.).
// Pure: bytes in, bytes and a verdict out.
#ifndef POSTERN_PROTO_SCRIPT_H
#define POSTERN_PROTO_SCRIPT_H

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.h"
#include "proto/answer.h"
#include "proto/facts.h"
#include "proto/smtp/reply.h"
#include "sasl/client.h"

namespace postern {

enum class TlsUse : uint8_t { None, Implicit, StartTls };

// Everything a handshake needs to know; made by the router from the passdb fields. The members below
// `learned` are the script's own memory.
struct BackPlan {
  std::string user;    // destuser
  std::string master;  // authid; empty: as user
  SecretString password;
  std::string mechanism;  // proxy_mech, upper case; empty: the protocol's plain login
  TlsUse tls = TlsUse::None;
  bool pipelining = true;                  // !proxy_nopipelining
  bool trusted = true;                     // !proxy_not_trusted: ID / XCLIENT may be sent
  bool client_asked_capabilities = false;  // PXI-14
  std::string hostname;                    // ours
  bool authenticate = true;                // !proxy_noauth: else the backend trusts us, and learns the name at most
  std::string login_name;                  // the user as auth named him, whatever destuser says
  ProtocolFacts from_front;                // Front::told_to_back()
  ForwardFacts forward;

  struct {
    std::string capabilities;  // IMAP: list as last seen
    bool has_capabilities = false;
    uint32_t flags = 0;       // protocol's own bits (SASL-IR, ID, XCLIENT ...)
    smtp::ReplyReader reply;  // where replies have several lines: the one under way
    unsigned awaited = 0;     // replies that the step still waits for
    bool tls_active = false;
    ClientMechanism sasl;  // the exchange under way
  } learned;
};

enum class Verdict : uint8_t {
  More,        // the step wants another line (it may have sent something)
  NotMine,     // not an answer to this step: the next one waiting looks at it
  Aside,       // taken, and nobody's answer: a server of this protocol may say so unasked
  Next,        // the step is done
  UpgradeTls,  // the step is done, TLS comes before the next one
  Accepted,    // the user is logged in
  Failed,      // `failure` says how
};

struct StepResult {
  std::string send;       // continuation
  std::string to_client;  // untagged lines that belong to the client (PXI-19)
  BackendReply accepted;
  BackendFailure failure;
  std::string log_error;  // something odd that does not end the attempt
};

// When the next wanted step goes out in the same flight as this one.
enum class Flight : uint8_t {
  Alone,   // never: its answer decides what comes next
  Piped,   // when plan.pipelining holds
  Always,  // POP3's XCLIENT (PXP-4)
};

// How the log writes the state of a handshake (LOG-12).
enum class StateForm : uint8_t {
  Waiting,          // the step whose answer is awaited: "login1"
  SentAndReceived,  // "id+login/banner"
};

// `send`, `read` and `wanted` are never null, but `send` for steps that only listen.
struct Step {
  std::string_view name;  // state word of LOG-12
  // Whether the step applies, asked when its turn comes.
  bool (*wanted)(const BackPlan&);
  // Appends what to send; null for steps that only listen (banner).
  void (*send)(BackPlan&, std::string& out);
  // Reads one line without its end.
  Verdict (*read)(std::string_view line, BackPlan&, StepResult&);
  Flight flight = Flight::Alone;
  // State word once the step has sent a continuation (More with something to send); empty: the same.
  std::string_view continued{};
};

// Result of feeding the runner.
struct ScriptOutput {
  std::string send;
  std::string to_client;
  std::vector<std::string> log_errors;
  enum class Event : uint8_t { None, UpgradeTls, Accepted, Failed } event = Event::None;
  BackendReply accepted;
  BackendFailure failure;
};

// Runs `steps` over one backend connection. What the runner guarantees for all protocols: lines and
// their number are bounded (CONST-12), bytes that came before TLS was agreed are never read after it,
// secrets are wiped when it dies. A peer that breaks a bound, sends NUL or anything behind its consent to
// TLS, or answers a step before it was sent (SEC-6), has failed with FailureClass::Protocol.
class ScriptRunner {
 public:
  struct Limits {
    size_t line = 4096;
    unsigned lines = 1000;  // per attempt
  };
  ScriptRunner(std::span<const Step> steps, BackPlan plan);
  ScriptRunner(std::span<const Step> steps, BackPlan plan, Limits limits);
  ~ScriptRunner();

  // Reads complete lines of `input`, returns bytes taken; stops behind UpgradeTls, Accepted and Failed.
  // Bytes behind Accepted belong to the client.
  size_t feed(std::string_view input, ScriptOutput& out);
  // TLS is up: goes on with the next step.
  void on_tls(ScriptOutput& out);
  // "login/id": what was sent and not answered / what was read last (LOG-12).
  std::string state_words(StateForm form = StateForm::Waiting) const;
  const BackPlan& plan() const { return plan_; }

 private:
  static constexpr uint8_t kNone = UINT8_MAX;
  static constexpr size_t kMaxSteps = 16;

  // A step that was sent (or listens) and is not answered yet.
  struct Waiting {
    uint8_t step = 0;
    bool continued = false;
    uint64_t since = 0;  // bytes received when we spoke last: an answer begins behind them
  };

  bool finished() const { return state_ == State::Finished; }
  void send_ready_steps(ScriptOutput& out);
  bool flight_goes_on(const Step& step) const;
  void read_line(std::string_view line, uint64_t begin, ScriptOutput& out);
  Verdict ask(Waiting& waiting, std::string_view line, uint64_t begin, StepResult& result);
  void settle(size_t position, Verdict verdict, StepResult& result, ScriptOutput& out);
  void fail(FailureClass what, std::string log_text, ScriptOutput& out);
  void end(BackendFailure failure, ScriptOutput& out);
  std::string_view word(const Waiting& waiting) const;

  enum class State : uint8_t { Talking, AwaitingTls, Finished };

  std::span<const Step> steps_;
  BackPlan plan_;
  Limits limits_;
  unsigned lines_ = 0;
  uint64_t taken_ = 0;                        // bytes read
  uint64_t received_ = 0;                     // bytes read, or to be read
  uint8_t next_ = 0;                          // first step not yet sent
  std::array<Waiting, kMaxSteps> waiting_{};  // in the order sent
  uint8_t waiting_count_ = 0;
  std::string_view last_read_;
  State state_ = State::Talking;
};

}  // namespace postern

#endif
