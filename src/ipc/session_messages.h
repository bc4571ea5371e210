// What login processes, the register of sessions (state) and the master tell each other about sessions.
#ifndef POSTERN_IPC_SESSION_MESSAGES_H
#define POSTERN_IPC_SESSION_MESSAGES_H

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/address.h"
#include "ipc/message.h"

namespace postern {

// --- login <-> state ---

struct SessionStarted {  // also again, to a state process that has just started
  static constexpr std::string_view kName = "session.started";
  static constexpr Direction kDirection{Role::Login, Role::State};
  uint64_t id = 0;  // unique in its process
  std::string user, service, session;
  Endpoint remote, local;  // the client's, as forwarded
  Endpoint backend;        // none: logged in on this host
  uint32_t mail_pid = 0;   // then: the process of his mail program
  int64_t since = 0;       // seconds since 1970
  // CLOCK_MONOTONIC, in milliseconds, when auth had answered: a kick after that is meant for this session, too.
  uint64_t decided = 0;
  auto fields() { return std::tie(id, user, service, session, remote, local, backend, mail_pid, since, decided); }
};

struct SessionEnded {  // a process that ends takes its sessions along without this
  static constexpr std::string_view kName = "session.ended";
  static constexpr Direction kDirection{Role::Login, Role::State};
  uint64_t id = 0;
  auto fields() { return std::tie(id); }
};

struct KickSessions {  // to a worker with many sessions
  static constexpr std::string_view kName = "state.kick_sessions";
  static constexpr Direction kDirection{Role::State, Role::Login};
  std::vector<uint64_t> ids;
  auto fields() { return std::tie(ids); }
};

// Limits of proxied sessions (ANVIL-7). The place that is reserved is SessionStarted's with the same id, and free again
// with SessionEnded or the end of the channel.
struct ReserveSession {
  static constexpr std::string_view kName = "session.reserve";
  static constexpr Direction kDirection{Role::Login, Role::State};
  uint64_t id = 0;  // as SessionStarted's
  std::string user, service;
  IpAddress address;                      // the client's, as forwarded
  uint32_t max_user = 0, max_userip = 0;  // 0: any number
  bool close_idle = false;  // rather than to be refused: in place of the one that has been idle for longest,
  uint32_t min_idle = 0;    // and for so many seconds
  bool held = false;        // to a state process that is new: the place was given before; not answered
  auto fields() { return std::tie(id, user, service, address, max_user, max_userip, close_idle, min_idle, held); }
};

enum class PlaceAnswer : uint8_t { Granted, UserLimit, UserIpLimit, kCount };

struct SessionReserved {
  static constexpr std::string_view kName = "state.session_reserved";
  static constexpr Direction kDirection{Role::State, Role::Login};
  uint64_t id = 0;
  PlaceAnswer answer = PlaceAnswer::Granted;
  auto fields() { return std::tie(id, answer); }
};

struct AskIdle {  // for how long have these sessions been idle?
  static constexpr std::string_view kName = "state.ask_idle";
  static constexpr Direction kDirection{Role::State, Role::Login};
  uint64_t query = 0;
  std::vector<uint64_t> ids;
  auto fields() { return std::tie(query, ids); }
};

struct IdleSessions {  // the answer: id and seconds; without those that have ended
  static constexpr std::string_view kName = "session.idle";
  static constexpr Direction kDirection{Role::Login, Role::State};
  uint64_t query = 0;
  std::vector<std::pair<uint64_t, uint32_t>> idle;
  auto fields() { return std::tie(query, idle); }
};

struct CloseIdle {  // to make room for new ones
  static constexpr std::string_view kName = "state.close_idle";
  static constexpr Direction kDirection{Role::State, Role::Login};
  std::vector<uint64_t> ids;
  PlaceAnswer why = PlaceAnswer::UserLimit;
  auto fields() { return std::tie(ids, why); }
};

struct WorkerConnected {  // among the reports of one-shot workers; one descriptor: a channel of this worker's own
  static constexpr std::string_view kName = "session.worker_connected";
  static constexpr Direction kDirection{Role::Login, Role::State};
  uint8_t unused = 0;
  auto fields() { return std::tie(unused); }
};

// --- state <-> master ---

struct KickWorkers {  // one-shot workers whose session is to end; one of many: not all of them at once
  static constexpr std::string_view kName = "state.kick_workers";
  static constexpr Direction kDirection{Role::State, Role::Master};
  std::vector<uint32_t> pids;
  bool many = false;
  auto fields() { return std::tie(pids, many); }
};

struct ReportsOpened {  // one descriptor: what the one-shot workers of a service have to tell
  static constexpr std::string_view kName = "master.reports_opened";
  static constexpr Direction kDirection{Role::Master, Role::State};
  std::string service;
  auto fields() { return std::tie(service); }
};

struct WorkerGone {  // stands among these reports, behind the last one of the worker
  static constexpr std::string_view kName = "master.worker_gone";
  static constexpr Direction kDirection{Role::Master, Role::State};
  uint32_t pid = 0;
  auto fields() { return std::tie(pid); }
};

}  // namespace postern

#endif
