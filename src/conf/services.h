// The services there are, with their stock values (MASTER-4): the one place below src/proto that knows protocol words.
#ifndef POSTERN_CONF_SERVICES_H
#define POSTERN_CONF_SERVICES_H

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "conf/settings.h"

namespace postern {

inline constexpr std::string_view kProtocolWords = "imap pop3 submission lmtp sieve";
inline constexpr std::string_view kDefaultProtocols = "imap pop3";
inline constexpr int64_t kStockSocketMode = 0666;  // of unix_listener below
inline constexpr std::string_view kMaskedProtocols = "imap submission sieve";

enum class ServiceKind : uint8_t {
  Login,     // talks to clients before their login, and proxies
  Delivery,  // takes mail and hands it on; its executable is the operator's program for users of this host
  Mail,      // an operator's program that serves a local user
  Internal,
};

inline constexpr std::string_view kLoginProgram = "postern-login";

// Kinds whose processes talk to clients, and whose executable is the operator's.
constexpr bool serves_clients(ServiceKind kind) { return kind == ServiceKind::Login || kind == ServiceKind::Delivery; }
constexpr bool serves_local_users(ServiceKind kind) {
  return kind == ServiceKind::Mail || kind == ServiceKind::Delivery;
}

struct ServiceListener {
  std::string_view name;
  uint16_t port;
  bool ssl;
};

struct ServiceRow {
  std::string_view name;
  std::string_view protocol;  // word in `protocols`; empty: always there
  ServiceKind kind;
  bool runs;                    // this version has its program; else it is only read
  std::string_view executable;  // of a Delivery: the operator's; what talks to clients is kLoginProgram
  std::string_view user;        // "$login", "$internal": default_login_user, default_internal_user
  std::string_view chroot;
  int64_t process_limit, client_limit, service_count;  // limits of 0: default_process_limit, default_client_limit
  int64_t process_min_avail;
  int64_t idle_kill;  // milliseconds, 0: never, -1: default_idle_kill
  bool fixed_one;     // process_limit is 1 for good (MASTER-3)
  ServiceListener listeners[2];
  std::string_view unix_listener;
  std::string_view doc;
};

std::span<const ServiceRow> service_rows();
const ServiceRow* find_service(std::string_view name);
// Stock values under `settings`: the default_* settings are worked in.
ServiceSettings stock_service(const ServiceRow& row, const Settings& settings);
// Whether any service of the protocol runs in this version.
bool protocol_runs(std::string_view protocol);

}  // namespace postern

#endif
