// What a protocol core may know of its connection, told by the session; and what a trusted peer told us.
#ifndef POSTERN_PROTO_FACTS_H
#define POSTERN_PROTO_FACTS_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/address.h"

namespace postern {

// Facts that change during a connection (STARTTLS, ID, XCLIENT).
struct ConnectionFacts {
  bool tls_available = false;  // STARTTLS may be offered: ssl != no
  bool tls_active = false;
  bool secured = false;      // TLS, trusted peer, or remote IP == local IP (IMAP-8)
  bool trusted = false;      // TCP peer is in login_trusted_networks
  bool binds = false;        // this TLS session has data that SASL can be bound to (-PLUS)
  bool certificate = false;  // the client showed a certificate, and it was verified
  std::string stamp{};       // unpredictable, of this connection alone; FrontSettings::wants_stamp only
};

// forward_ fields: names without the prefix, in the order of the reply.
using ForwardFields = std::vector<std::pair<std::string, std::string>>;

// What a trusted peer says of the client behind it (IMAP-53, POP-31). Absent members were not told.
struct ForwardedFacts {
  std::optional<IpAddress> remote_ip, local_ip;
  std::optional<uint16_t> remote_port, local_port;
  std::optional<uint32_t> ttl;
  std::optional<std::string> session;
  ForwardFields forward;
  std::string client_id;                  // retained IMAP ID list body (IMAP-56)
  std::optional<std::string> local_name;  // a valid DNS name, as by SNI (SUB-34)
};

// Facts that only one protocol's front learns and only its own back uses (a client's EHLO name): name and value,
// opaque for common code. A list of a few.
using ProtocolFacts = std::vector<std::pair<std::string, std::string>>;
// Replaces or adds.
void set_fact(ProtocolFacts& facts, std::string_view name, std::string_view value);
// Empty when there is none; part of `facts`.
std::string_view find_fact(const ProtocolFacts& facts, std::string_view name);

// Whether a trusted peer's session id is taken over (DECISIONS 6): 1 to 64 (CONST-10) printable bytes that no
// protocol or log line has to quote.
bool is_session_id(std::string_view text);

// What we tell a backend of the client before us (PXI-10, PXP-3).
struct ForwardFacts {
  std::string session;
  Endpoint remote, local;
  uint32_t ttl = 4;  // already reduced for this hop
  ForwardFields forward;
  std::string client_id;
  std::string local_name;  // SNI, or what a trusted peer said; may be anything
};

}  // namespace postern

#endif
