// The client of a session, as logs, auth and backends see it.
#ifndef POSTERN_LOGIN_CLIENT_H
#define POSTERN_LOGIN_CLIENT_H

#include <cstdint>
#include <string>

#include "base/address.h"
#include "ipc/auth_messages.h"

namespace postern {

struct ClientInfo {
  std::string_view protocol;  // static: Protocol::name
  Endpoint remote, local;     // as forwarded by a trusted peer, else the real ones
  Endpoint real_remote, real_local;
  std::string session;     // LOG-5
  std::string local_name;  // SNI
  std::string client_id;   // IMAP-56
  std::string user;        // last one tried, or logged in
  std::string master_user;
  std::string mechanism;    // as logged (LOG-13)
  std::string tls;          // "", "TLS", "TLS handshaking", "secured" (LOG-3)
  bool cert_valid = false;  // of this client, and verified; then the next three
  std::string cert_name, cert_fp, cert_key_fp;
  uint32_t mail_pid = 0;  // local logins: the program's process
  uint32_t ttl = 5;       // CONST-9
  FieldList forward;      // received from a trusted peer
};

// What auth is told of him by process `pid`.
AuthSubject subject_of(const ClientInfo& client, uint32_t pid);

// A session id that this process has not given out before (LOG-5): `microseconds` is the wall clock.
std::string make_session_id(uint64_t microseconds, const Endpoint& remote);

// 128 random bits in hex, for a challenge that nobody has seen before.
std::string make_stamp();

}  // namespace postern

#endif
