// Who is told what after an authentication or a backend's reply: one table for all protocols. Fronts
// only print it (IMAP-80 ff., POP-20 ff., PXI-40 ff., PXP-10 ff.).
#ifndef POSTERN_PROTO_ANSWER_H
#define POSTERN_PROTO_ANSWER_H

#include <cstdint>
#include <string>
#include <string_view>

namespace postern {

enum class AnswerKind : uint8_t {
  Challenge,             // SASL goes on; text = challenge, not encoded
  BackendAccepted,       // proxied; backend has the reply
  LocalAccepted,         // logged in on this host; text = capabilities if known
  AuthFailed,            // IMAP-80; text = reason or empty
  AuthzFailed,           // IMAP-82
  PasswordExpired,       // IMAP-83
  UserDisabled,          // IMAP-84
  TempFail,              // IMAP-81; text complete with host and time stamp
  LoginDisabled,         // IMAP-85; text = reason or empty
  Referral,              // IMAP-86, login refused; text = reason or empty; referral filled
  ReferralAccepted,      // A1, login succeeds with a referral
  UnsupportedMechanism,  // IMAP-69
  BadEncodingInitial,    // IMAP-68, initial response
  BadEncodingResponse,   // IMAP-68, continued response
  BackendRefused,        // text = BackendFailure::reply, to be passed on behind the protocol's word for no
  BackendUnavailable,    // PXI-46 ff.: "Account is temporarily unavailable."
  BackendMisconfigured,  // PXI-51: the same text, a code that says configuration
  TooManyConnections,    // IMAP-89; text complete
  InternalFailure,       // IMAP-90
  kCount
};
// Whether the user is logged in with this answer: the front is done.
bool is_success(AnswerKind kind);

// What a backend said when it took or refused the login. Opaque for common code: made by the protocol's
// back, printed by its front.
struct BackendReply {
  std::string line;          // the reply without its tag ("[CAPABILITY ...] Logged in", "+OK Logged in.")
  std::string capabilities;  // IMAP: the list known by then, else empty
};

struct ReferralTarget {
  std::string user, mechanism, host;
  uint16_t port = 0;
};

struct Answer {
  AnswerKind kind = AnswerKind::InternalFailure;
  std::string text{};
  BackendReply backend{};
  ReferralTarget referral{};
};

// Classes of a backend's failure (PXI 2.4, column "class").
enum class FailureClass : uint8_t {
  Auth,            // refused: wrong credentials or another definite no
  AuthTempFail,    // refused for now, said so itself
  Connect,         // no connection, time-out, lost
  Protocol,        // not the protocol we expect
  Remote,          // backend refuses a step (STARTTLS)
  RemoteConfig,    // backend cannot do what the fields ask for; not retried
  RemoteRefusal,   // backend will not hear of the client behind us (XCLIENT); not retried
  Internal,        // our own side cannot start the attempt
  InternalConfig,  // our own configuration forbids it (certificate not valid); not retried
  kCount
};
// Whether another attempt may help (ALG-32).
bool is_retryable(FailureClass what);

struct BackendFailure {
  FailureClass what = FailureClass::Internal;
  std::string log_text;  // what the log says ("Invalid banner: * BYE full")
  // Auth, AuthTempFail: what stands behind the backend's word for no ("[LIMIT] full" of "L NO [LIMIT] full" or
  // "-ERR [LIMIT] full"), made printable; empty: our own text for a failed authentication.
  std::string reply;
  bool passes_always = false;  // a code that says nothing of the password: shown even when masking (DECISIONS 2)
  bool has_code = false;       // reply carries a code of its own
};

// Decides what the client hears. `mask` is login_proxy_mask_auth_failures for this protocol.
Answer answer_for(const BackendFailure& failure, bool mask);

}  // namespace postern

#endif
