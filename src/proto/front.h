// A protocol's client side before login: bytes in, requests out. No socket, no clock, no TLS.
#ifndef POSTERN_PROTO_FRONT_H
#define POSTERN_PROTO_FRONT_H

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/secret.h"
#include "proto/answer.h"
#include "proto/facts.h"
#include "sasl/mechanisms.h"

namespace postern {

// Settings a front needs, taken from the settings table once per settings value; shared by sessions.
struct FrontSettings {
  std::string greeting = "Postern ready.";
  std::string hostname;    // ours
  std::string capability;  // imap_capability / pop3_capability
  bool literal_minus = false;
  std::string id_send = "name *";  // imap_id_send
  std::string id_log;              // imap_id_log
  bool id_retain = false;
  bool allow_plaintext = false;  // disable_plaintext_auth = no
  bool tls_required = false;     // ssl = required
  struct Sieve {                 // capabilities of scripts: the backends', as configured (SIEVE-9)
    std::string implementation, extensions, notify, extlists;
  } sieve;
  std::string product = "Postern";  // for ID
  std::string version;
  struct Mechanism {
    std::string name;       // upper case
    bool plaintext = true;  // sends the password itself
    bool is_private = false;
    MechanismNeed need = MechanismNeed::Nothing;
  };
  std::vector<Mechanism> mechanisms;    // offered, in order
  bool wants_stamp = false;             // a private mechanism has its challenge in the greeting (POP-1)
  size_t max_line = 1026;               // CONST-3
  size_t max_literal = 8192;            // CONST-6
  size_t max_sasl = 8192;               // CONST-5
  size_t max_token = 32768;             // token mechanisms (auth_max_token_size)
  unsigned max_bad_commands = 3;        // CONST-8
  unsigned max_id_pairs = 256;          // IMAP-59
  size_t max_tag = 126;                 // CONST-7
  size_t max_retained = 256;            // CONST-11
  std::string os, os_version;           // for ID, as uname(2) has them
  std::vector<std::string> extensions;  // submission_backend_capabilities, upper case
  uint64_t max_mail_size = 0;           // submission_max_mail_size, lmtp_max_mail_size; 0: not limited
  struct Delivery {
    std::string recipient_delimiter = "+";
    unsigned max_recipients = 1000;
    unsigned max_waiting = 5;                                       // RCPT commands answered side by side (LMTP-5)
    bool whitespace_before_path = false, mailbox_for_path = false;  // lmtp_client_workarounds
    bool add_received = true;
    std::string address_header = "final";  // lmtp_hdr_delivery_address
    bool verbose_replies = false;
  } delivery;

  // The row of a mechanism that clients may use, by its upper-case name; null when there is none or it is private.
  const Mechanism* mechanism(std::string_view upper) const;
  // How long a SASL line of `mechanism` may be, in base64 (CONST-5; tokens are longer).
  size_t sasl_line_limit(std::string_view mechanism) const;
};

// Why the front ends the connection; names the log reason.
struct Farewell {
  // Static: "Too many invalid commands", "Input buffer full", "Aborted login by logging out",
  // "Authentication response too large" (nothing is sent then) ...
  std::string_view reason;
};

namespace refusal {
inline constexpr std::string_view kPlaintextDisabled = "Plaintext authentication disabled";
inline constexpr std::string_view kTlsRequired = "Authentication not allowed until SSL/TLS is enabled.";
inline constexpr std::string_view kUnsupportedMechanism = "Unsupported authentication mechanism.";
inline constexpr std::string_view kBadEncoding = "Invalid base64 data";
}  // namespace refusal

// What the session must do before the front goes on. feed() returns right after it set one.
struct BeginTls {};  // after `send` is flushed; buffered clear text must be thrown away (IMAP-40)
struct AuthBegin {
  std::string mechanism;  // upper case
  std::optional<SecretString> initial;
};
struct AuthResponse {
  SecretString data;
};
struct AuthAbort {};  // the front has told the client already
// The front refused an attempt itself and has told the client; an authentication under way is cancelled. For the log
// (LOG-21, IMAP-69): "Login failed: <reason>", or with a mechanism "Authenticate <mechanism> failed: <reason>".
struct PolicyRefusal {
  std::string_view reason;  // static: one of the texts of `refusal`
  bool counts_as_attempt = true;
  std::string mechanism;
};
using FrontRequest =
    std::variant<std::monostate, BeginTls, AuthBegin, AuthResponse, AuthAbort, ForwardedFacts, PolicyRefusal, Farewell>;

struct FrontOutput {
  std::string send;                    // bytes for the client, in order
  FrontRequest request;                // at most one
  std::vector<std::string> log_notes;  // info lines ("ID sent: name=mutt")
};

// Why the server ends a connection; fronts may have codes for it.
enum class Parting : uint8_t { Idle, ShuttingDown, Crowded, Unavailable };

class Front {
 public:
  virtual ~Front() = default;

  // The greeting. Called once auth is ready.
  virtual void greet(FrontOutput& out) = 0;
  // Takes what it can from `input`, returns the number of bytes taken. Stops behind the first request.
  // What it leaves is an incomplete line or waits behind the request.
  // While an authentication is under way (between AuthBegin and answer()) the session doesn't call it,
  // except when the last answer was a Challenge.
  virtual size_t feed(std::string_view input, FrontOutput& out) = 0;
  // The outcome of AuthBegin or AuthResponse.
  virtual void answer(const Answer& answer, FrontOutput& out) = 0;
  // TLS is established: everything learned in the clear is forgotten where the rules say so (POP-6).
  virtual void on_tls(FrontOutput& out) = 0;
  // Facts changed (TLS, forwarded address).
  virtual void set_facts(const ConnectionFacts& facts) = 0;
  // An untagged notice without effect on the state (IMAP-106); nothing where the protocol has none.
  virtual void notice(std::string_view text, FrontOutput& out) = 0;
  // The server ends the connection: "Disconnected for inactivity.", "Shutting down" (IMAP-100 ff.).
  virtual void goodbye(std::string_view text, Parting why, FrontOutput& out) = 0;
  // The client asked for capabilities itself (IMAP-11), which changes the login reply and the backend dialogue.
  virtual bool asked_capabilities() const { return false; }
  // What this protocol's own back is to know of the client.
  virtual ProtocolFacts told_to_back() const { return {}; }
};

}  // namespace postern

#endif
