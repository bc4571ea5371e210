// What the master and any of its children tell each other.
#ifndef POSTERN_IPC_CHILD_MESSAGES_H
#define POSTERN_IPC_CHILD_MESSAGES_H

#include <cstdint>
#include <string>

#include "base/address.h"
#include "ipc/message.h"

namespace postern {

struct ChildReady {  // start-up is over (MASTER-14: within 30 s)
  static constexpr std::string_view kName = "child.ready";
  static constexpr Direction kDirection{Role::Login, Role::Master, true};
  uint32_t available = 0;  // connections it will take now
  auto fields() { return std::tie(available); }
};

struct ChildStatus {  // MASTER-13
  static constexpr std::string_view kName = "child.status";
  static constexpr Direction kDirection{Role::Login, Role::Master, true};
  uint32_t available = 0;
  bool retired = false;  // service_count used up: finishes what it has
  auto fields() { return std::tie(available, retired); }
};

struct NeedWorker {  // auth has more blocking work than auth-workers
  static constexpr std::string_view kName = "child.need_worker";
  static constexpr Direction kDirection{Role::Auth, Role::Master};
  uint32_t waiting = 0;
  auto fields() { return std::tie(waiting); }
};

struct PeerOpened {  // one descriptor: a socket to another process
  static constexpr std::string_view kName = "master.peer_opened";
  static constexpr Direction kDirection{Role::Master, Role::Login, true};
  Role peer = Role::Master;
  uint32_t pid = 0;
  auto fields() { return std::tie(peer, pid); }
};

struct InputOpened {  // to log: one descriptor with the lines of a service
  static constexpr std::string_view kName = "master.input_opened";
  static constexpr Direction kDirection{Role::Master, Role::Log};
  std::string service;
  auto fields() { return std::tie(service); }
};

enum class StopHow : uint8_t { Drain, Now, kCount };

struct StopChild {
  static constexpr std::string_view kName = "master.stop";
  static constexpr Direction kDirection{Role::Master, Role::Login, true};
  StopHow how = StopHow::Drain;  // Drain: take nothing new, finish what is there. Now: end sessions politely
  auto fields() { return std::tie(how); }
};

struct ServiceFull {  // every process of the service is full: make room for newer clients (MASTER-24)
  static constexpr std::string_view kName = "master.service_full";
  static constexpr Direction kDirection{Role::Master, Role::Login};
  uint32_t milliseconds = 0;  // for so long
  auto fields() { return std::tie(milliseconds); }
};

struct ReopenLogs {
  static constexpr std::string_view kName = "master.reopen_logs";
  static constexpr Direction kDirection{Role::Master, Role::Log};
  uint8_t unused = 0;
  auto fields() { return std::tie(unused); }
};

struct ForkWorker {  // to a prepared parent; descriptors: the client, the socket to auth
  static constexpr std::string_view kName = "master.fork_worker";
  static constexpr Direction kDirection{Role::Master, Role::Login};
  uint32_t listener = 0;  // index in ChildBoot::listeners
  Endpoint remote;
  auto fields() { return std::tie(listener, remote); }
};

struct WorkerForked {
  static constexpr std::string_view kName = "child.worker_forked";
  static constexpr Direction kDirection{Role::Login, Role::Master};
  uint32_t pid = 0;
  auto fields() { return std::tie(pid); }
};

struct WorkerEnded {
  static constexpr std::string_view kName = "child.worker_ended";
  static constexpr Direction kDirection{Role::Login, Role::Master};
  uint32_t pid = 0;
  int32_t wait_status = 0;
  auto fields() { return std::tie(pid, wait_status); }
};

}  // namespace postern

#endif
