// What happened on a connection before login, and how the log sums it up when it ends (8.3 of the rules).
#ifndef POSTERN_LOGIN_HISTORY_H
#define POSTERN_LOGIN_HISTORY_H

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "ipc/auth_messages.h"
#include "proto/front.h"

namespace postern {

// How the last attempt to log in ended; each has its words.
enum class AttemptEnd : uint8_t {
  None,
  AuthFailed,
  AuthzFailed,
  TempFail,
  UserDisabled,
  PasswordExpired,
  InvalidBase64,
  UnsupportedMechanism,
  PlaintextDisallowed,
  PlaintextCommandRefused,  // LOGIN and USER: rule 10's words (LOG-21)
  ProxyRefused,             // the backend said no
  LoggedInElsewhere,        // auth succeeded, login did not: nologin, referral, proxy failure
  AuthLost,                 // auth process communication failure
  Aborted,
  TooManyConnections,  // IMAP-89
  kCount
};

AttemptEnd attempt_end_of(AuthResult result);
AttemptEnd attempt_end_of(const PolicyRefusal& refusal);

// Which limit of connections stopped a user: its setting, what the log says of it, and its value.
struct ReachedLimit {
  std::string_view setting = "mail_max_userip_connections";
  std::string_view words = "Maximum number of connections from user+IP exceeded";
  uint32_t value = 0;

  // For the client, too.
  std::string text() const;
};

struct LoginHistory {
  Instant connected{};
  Instant first_attempt{};
  unsigned attempts = 0;
  unsigned successes = 0;  // auth said yes
  AttemptEnd last = AttemptEnd::None;
  enum class Now : uint8_t { Idle, SaslPending, Authenticating, Finishing } now_doing = Now::Idle;
  bool auth_was_ready = true;
  ReachedLimit limit;  // TooManyConnections: which

  void begin_attempt(Instant when) {
    if (attempts++ == 0) first_attempt = when;
  }
  // "no auth attempts in 3 secs"; without the parentheses.
  std::string summary(Instant now) const;
};

}  // namespace postern

#endif
