// What the passdb fields of a user say about where his session goes: parsed once, checked wholly.
#ifndef POSTERN_PROXY_ROUTE_H
#define POSTERN_PROXY_ROUTE_H

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "ipc/auth_messages.h"
#include "proto/delivery.h"
#include "proto/protocol.h"
#include "proto/proxy_header.h"

namespace postern {

// Go to another server and log in there.
struct ProxyRoute {
  std::string host;                  // as given: name for TLS, logs
  std::vector<IpAddress> addresses;  // to try, in order
  uint16_t port = 0;
  TlsUse tls = TlsUse::None;
  bool verify_certificate = true;
  std::string destuser, master, mechanism;
  SecretString password;
  Milliseconds timeout{0};                              // 0: login_proxy_timeout
  std::optional<IpAddress> source;                      // field source_ip
  std::optional<Milliseconds> immediate_failure_after;  // ALG-20
  bool pipelining = true, trusted = true;
  bool authenticate = true;                   // !proxy_noauth
  std::optional<ProxyHeaderVersion> haproxy;  // field proxy_haproxy
  std::string preamble;                       // sent before TLS and protocol; the session's to fill in
  ForwardFields forward;
};

// Mail goes there.
struct DeliveryRoute {
  const DeliveryBackend* backend = nullptr;
  ProxyRoute proxy;
};

// Login refused: nologin (IMAP-85), with a host a referral (IMAP-86).
struct RefusedRoute {
  std::string reason;
  std::optional<ReferralTarget> referral;
};

// Log the user in on this host; with `referral` the answer says that another server is better (A1).
struct LocalRoute {
  std::string reason;
  std::optional<ReferralTarget> referral;
};

using Route = std::variant<ProxyRoute, RefusedRoute, LocalRoute>;

// Reads the fields of a successful `reply`. `mechanism` is the one the client used. The error names field
// and value ("invalid port value '99999': ..."): a temporary failure for the client (PXI-5, DECISIONS 1).
Result<Route> route_from(AuthReply&& reply, const Protocol& protocol, std::string_view mechanism);

// The same for a recipient. `own_port`: where the client came in, the default for backends of the own protocol; 0: by a
// local socket (LMTP-20).
using RecipientRoute = std::variant<DeliveryRoute, RefusedRoute, LocalRoute>;
Result<RecipientRoute> recipient_route_from(AuthReply&& reply, const DeliveryProtocol& protocol, uint16_t own_port);

// Whether going there would be coming back here (PXI-3): same address, port and user.
bool loops_to_itself(const ProxyRoute& route, const Endpoint& local, std::string_view user);

}  // namespace postern

#endif
