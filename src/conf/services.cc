#include "conf/services.h"

#include <algorithm>

namespace postern {
namespace {

using enum ServiceKind;

// clang-format off
constexpr ServiceRow kServices[] = {
    {"imap-login", "imap", Login, true, "postern-login", "$login", "login", 0, 0, 1, 0, -1, false,
     {{"imap", 143, false}, {"imaps", 993, true}}, "", "IMAP clients before and, proxied, after their login."},
    {"pop3-login", "pop3", Login, true, "postern-login", "$login", "login", 0, 0, 1, 0, -1, false,
     {{"pop3", 110, false}, {"pop3s", 995, true}}, "", "POP3 clients, likewise."},
    {"submission-login", "submission", Login, true, "postern-login", "$login", "login", 0, 0, 1, 0, -1, false,
     {{"submission", 587, false}, {"submissions", 465, true}}, "", "Submission clients, likewise."},
    {"managesieve-login", "sieve", Login, true, "postern-login", "$login", "login", 0, 0, 1, 0, -1, false,
     {{"sieve", 4190, false}, {}}, "", "ManageSieve clients, likewise."},
    {"lmtp", "lmtp", Delivery, true, "", "$login", "login", 0, 0, 0, 1, -1, false, {}, "lmtp",
     "LMTP clients; executable is the program for local deliveries: see LOCAL MAIL PROGRAMS."},
    {"auth", "", Internal, true, "postern-auth", "$internal", "", 1, 0, 0, 0, 0, true, {}, "",
     "Password databases, cache and SASL."},
    {"auth-worker", "", Internal, true, "postern-auth-worker", "$internal", "", 30, 1, 0, 0, -1, false, {}, "",
     "Look-ups that block and slow hashes; service_count counts requests."},
    {"log", "", Internal, true, "postern-log", "$internal", "", 1, 0, 0, 0, 0, true, {}, "", "Writes all logs."},
    {"state", "", Internal, true, "postern-state", "$internal", "", 1, 0, 0, 1, 0, true, {}, "",
     "Who is logged in; answers posternctl."},
    {"stats", "", Internal, false, "postern-stats", "$internal", "", 1, 0, 0, 0, 0, true, {}, "",
     "Counters of all processes."},
    {"keys", "", Internal, false, "postern-keys", "posternkeys", "", 1, 0, 0, 0, 0, true, {}, "",
     "Private keys of TLS."},
    {"imap", "imap", Mail, true, "", "", "", 1024, 1, 1, 0, -1, false, {}, "",
     "The program for IMAP users of this host: see LOCAL MAIL PROGRAMS."},
    {"pop3", "pop3", Mail, true, "", "", "", 1024, 1, 1, 0, -1, false, {}, "",
     "The program for POP3 users of this host, likewise."},
    {"managesieve", "sieve", Mail, true, "", "", "", 1024, 1, 1, 0, -1, false, {}, "",
     "The program for ManageSieve users of this host, likewise."},
};
// clang-format on

std::string user_of(const ServiceRow& row, const Settings& settings) {
  if (row.user == "$login") return settings.text(Key::default_login_user);
  if (row.user == "$internal") return settings.text(Key::default_internal_user);
  return std::string(row.user);
}

void stock_listeners(const ServiceRow& row, ServiceSettings& service) {
  for (const ServiceListener& listener : row.listeners) {
    if (listener.port == 0) continue;
    InetListener& inet = service.inet_listeners.emplace_back();
    inet.name = listener.name;
    inet.port = listener.port;
    inet.ssl = listener.ssl;
  }
  if (row.unix_listener.empty()) return;
  UnixListener& socket = service.unix_listeners.emplace_back();
  socket.path = row.unix_listener;
  socket.mode = kStockSocketMode;
}

}  // namespace

std::span<const ServiceRow> service_rows() { return kServices; }

const ServiceRow* find_service(std::string_view name) {
  for (const ServiceRow& row : kServices)
    if (row.name == name) return &row;
  return nullptr;
}

ServiceSettings stock_service(const ServiceRow& row, const Settings& settings) {
  ServiceSettings service;
  service.name = row.name;
  service.protocol = row.protocol;
  service.executable = row.executable;
  service.user = user_of(row, settings);
  service.chroot = row.chroot;
  service.process_limit = row.process_limit ? row.process_limit : settings.number(Key::default_process_limit);
  service.client_limit = row.client_limit ? row.client_limit : settings.number(Key::default_client_limit);
  service.service_count = row.service_count;
  service.process_min_avail = row.process_min_avail;
  service.idle_kill = row.idle_kill < 0 ? settings.time(Key::default_idle_kill) : Milliseconds(row.idle_kill);
  if (row.name == "auth-worker") service.process_limit = settings.number(Key::auth_worker_max_count);
  stock_listeners(row, service);
  return service;
}

bool protocol_runs(std::string_view protocol) {
  return std::any_of(std::begin(kServices), std::end(kServices),
                     [protocol](const ServiceRow& row) { return row.runs && row.protocol == protocol; });
}

}  // namespace postern
