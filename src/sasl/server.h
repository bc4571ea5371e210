// Server side of a SASL exchange: decoded responses in, steps out. No socket, no user database, no clock.
#ifndef POSTERN_SASL_SERVER_H
#define POSTERN_SASL_SERVER_H

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/secret.h"

namespace postern {

// What a mechanism may know of the connection it runs on and of us; told by the process that holds the connection.
struct SaslContext {
  // Channel bindings of the client's TLS session, raw; empty: there is none of that type.
  std::string tls_unique, tls_exporter;
  bool offers_binding = false;     // the -PLUS form of this mechanism is offered, too
  bool certificate_valid = false;  // the client showed one, and it was verified
  std::string certificate_name;
  std::string service, hostname;    // of our Kerberos principal: service@hostname
  std::vector<std::string> realms;  // DIGEST-MD5's; may be empty
  std::string default_realm;        // of a Kerberos principal whose user part alone says who he is; may be empty
  std::string anonymous;            // the user that ANONYMOUS means
};

// The client is to answer `text` (not encoded; may be empty).
struct SaslChallenge {
  std::string text;
};

// The client sent a password: `authcid` claims to know `password` and wants to act as `authzid` (empty:
// as itself).
struct SaslPassword {
  std::string authzid, authcid;
  SecretString password;
};

// A proof that somebody else can check, too, who has the password: its digest (lower case hex) and what was challenged
// with.
struct SaslDigest {
  std::string challenge;
  SecretString digest;
};

// `authcid` will prove, or has proved, to know his password without sending it: the stored one is wanted, then
// supply() goes on; or somebody has checked `digest`.
struct SaslClaim {
  std::string authzid, authcid;
  std::optional<SaslDigest> digest{};
};

// Somebody else vouches for him, and no password has a part in it: the authority that signed the certificate, the
// Kerberos server, or nobody (ANONYMOUS).
struct SaslVouched {
  std::string authzid, authcid;
};

// The proof was right. `last_word` must reach the client, as one more challenge whose answer means nothing.
struct SaslProven {
  std::optional<std::string> last_word;
};

// The proof was wrong, or is of a user who does not exist.
struct SaslDisproven {};

// Not what the mechanism's syntax allows. The client is told the same as for a wrong password (IMAP-80).
struct SaslBad {
  std::string_view why;  // static
};

using SaslStep = std::variant<SaslChallenge, SaslPassword, SaslClaim, SaslVouched, SaslProven, SaslDisproven, SaslBad>;

// A stored password that proofs can be checked against.
struct SaslSecret {
  bool verifier = false;  // data of MechanismInfo::verifier; else the password itself
  SecretString data;
};

// One exchange. It is over after anything but SaslChallenge and SaslClaim; step() must not be called again.
class ServerMechanism {
 public:
  virtual ~ServerMechanism() = default;
  // First call: the initial response, absent when the client sent none (RFC 4422 section 3; absent and empty
  // differ). Later calls: the answer to the last challenge, never absent.
  virtual SaslStep step(std::optional<SecretString> response) = 0;
  // After SaslClaim, once. Null: there is no such user or no usable password; the exchange goes on the same way and
  // no proof will do (NOTES: users must not be told apart).
  virtual SaslStep supply(const SaslSecret*) { return SaslBad{"no claim was made"}; }
};

}  // namespace postern

#endif
