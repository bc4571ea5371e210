// What a login process and auth tell each other.
#ifndef POSTERN_IPC_AUTH_MESSAGES_H
#define POSTERN_IPC_AUTH_MESSAGES_H

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/secret.h"
#include "base/tls_facts.h"
#include "ipc/field_list.h"
#include "ipc/message.h"

namespace postern {

// What auth knows of a client, all of it told by the login process (AUTH-32).
struct AuthSubject {
  std::string service;     // "imap", "pop3"
  std::string session;     // LOG-5
  std::string local_name;  // SNI
  std::string client_id;   // IMAP-56
  Endpoint remote, local;  // possibly forwarded by a trusted peer
  Endpoint real_remote, real_local;
  std::string secured;  // "", "secured" or "TLS" (%c)
  uint32_t pid = 0;
  bool no_penalty = false;
  FieldList forward;        // received forward_* fields, names without the prefix
  uint32_t max_userip = 0;  // mail_max_userip_connections as it holds for him; 0: any number
  uint32_t attempt = 1;     // of this connection to log in
  // Of the TLS session that the login process itself has with him. Channel bindings, raw (RFC 5929, RFC 9266); empty:
  // not to be had.
  std::string tls_unique, tls_exporter;
  bool cert_valid = false;  // he showed a certificate, and it was verified; without that nothing is said of one
  std::string cert_name;    // ssl_cert_username_field of it
  std::string cert_fp, cert_key_fp;  // SHA-256 of the certificate and of its key, hex
  TlsFacts tls;

  auto fields() {
    return std::tie(service, session, local_name, client_id, remote, local, real_remote, real_local, secured, pid,
                    no_penalty, forward, max_userip, attempt, tls_unique, tls_exporter, cert_valid, cert_name, cert_fp,
                    cert_key_fp, tls);
  }
};

struct AuthHello {  // first message of auth on a new login connection: ready
  static constexpr std::string_view kName = "auth.hello";
  static constexpr Direction kDirection{Role::Auth, Role::Login};
  uint32_t pid = 0;
  auto fields() { return std::tie(pid); }
};

struct AuthStart {
  static constexpr std::string_view kName = "auth.start";
  static constexpr Direction kDirection{Role::Login, Role::Auth};
  uint64_t id = 0;                      // unique among the requests under way on this connection
  std::string mechanism;                // upper case
  std::optional<SecretString> initial;  // decoded initial response; absent and empty differ
  AuthSubject subject;
  std::string sasl_service;  // of our Kerberos principal ("imap")
  auto fields() { return std::tie(id, mechanism, initial, subject, sasl_service); }
};

// Where does this user's mail go? Nobody logs in: no password, no delay, no penalty (LMTP-3). Answered by AuthReply;
// Failed is then an unknown user. With `deliver` comes one descriptor, a file with the whole message, read from its
// start: if the user belongs to this host, the program for local deliveries is started with it as standard input.
struct UserLookup {
  static constexpr std::string_view kName = "auth.user_lookup";
  static constexpr Direction kDirection{Role::Login, Role::Auth};
  uint64_t id = 0;  // as AuthStart's
  std::string user;
  AuthSubject subject;
  bool local_only = false;  // only whether he belongs to this host (lmtp_proxy = no)
  bool deliver = false;
  std::string sender, recipient;  // of the envelope: %{sender}, %{recipient}
  auto fields() { return std::tie(id, user, subject, local_only, deliver, sender, recipient); }
};

struct AuthContinue {
  static constexpr std::string_view kName = "auth.continue";
  static constexpr Direction kDirection{Role::Login, Role::Auth};
  uint64_t id = 0;
  SecretString response;  // decoded
  auto fields() { return std::tie(id, response); }
};

struct AuthCancel {  // the client left or aborted; no reply follows
  static constexpr std::string_view kName = "auth.cancel";
  static constexpr Direction kDirection{Role::Login, Role::Auth};
  uint64_t id = 0;
  auto fields() { return std::tie(id); }
};

struct AuthChallenge {
  static constexpr std::string_view kName = "auth.challenge";
  static constexpr Direction kDirection{Role::Auth, Role::Login};
  uint64_t id = 0;
  std::string challenge;  // not encoded
  auto fields() { return std::tie(id, challenge); }
};

// How an authentication ended. Everything but Ok leaves the client where it was.
enum class AuthResult : uint8_t {
  Ok,            // `extra` says what happens to the user: proxy, nologin, referral or local login
  Failed,        // wrong password, unknown user, refused by a field: never told apart (AUTH-5)
  AuthzFailed,   // master user known, target user not (IMAP-82)
  Disabled,      // IMAP-84
  Expired,       // IMAP-83
  Unavailable,   // temporary: a database, DNS or auth itself (IMAP-81)
  BadMechanism,  // not offered
  BadEncoding,   // response is not what the mechanism wants (IMAP-68)
  TooMany,       // local sessions of this user from this address (IMAP-89); `reason` is the text
  kCount
};

struct AuthReply {
  static constexpr std::string_view kName = "auth.reply";
  static constexpr Direction kDirection{Role::Auth, Role::Login};
  uint64_t id = 0;
  AuthResult result = AuthResult::Unavailable;
  std::string user;                      // the (possibly changed) user name; also for failures, for the log
  std::string master_user;               // who really logged in, for master logins
  std::string reason;                    // field `reason`
  FieldList extra;                       // passdb fields, Ok only; `pass` never among them
  std::vector<IpAddress> addresses;      // of `host`, in the order to try; Ok with proxy only
  std::optional<SecretString> password;  // for the backend, Ok with proxy only (AUC-24)
  // Ok: the process of the user's mail program, with one descriptor, the socket to it; 0: no local login here. For a
  // delivery it is a pipe in which the program's end will stand: DeliveryEnd.
  uint32_t mail_pid = 0;
  bool is_local = false;  // to a UserLookup, Ok: the user belongs to this host, and it has a program for him
  auto fields() {
    return std::tie(id, result, user, master_user, reason, extra, addresses, password, mail_pid, is_local);
  }
};

}  // namespace postern

#endif
