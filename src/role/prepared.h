// service_count = 1: a prepared parent has read its settings and is in its jail; on the master's word it forks a
// process per connection (PROBES 1). The master accepts, counts and limits; the parent only forks and reaps.
#ifndef POSTERN_ROLE_PREPARED_H
#define POSTERN_ROLE_PREPARED_H

#include <signal.h>

#include <functional>

#include "base/address.h"
#include "base/fd.h"
#include "role/role.h"

namespace postern {

// What the master may tell a worker later. All are ignored until the worker wants to know.
inline constexpr int kKickSignal = SIGUSR1, kKickOneOfManySignal = SIGUSR2;
inline constexpr int kReportAgainSignal = SIGHUP;  // state has been started again

// What a worker gets.
struct Handover {
  uint32_t listener = 0;  // index in ChildBoot::listeners
  Endpoint remote;
  Fd client;
  Fd auth;           // its own channel to auth
  int reports = -1;  // to state; shared with all workers, not owned
};

// Sends ChildReady and forks until the master says stop or is gone; the value of main(). `serve` runs in the
// worker, makes its own loop, and its value is the worker's exit status; the worker ends by _exit. StopChild{Now}
// sends SIGTERM to all workers; on StopChild{Drain} the parent leaves and the master adopts its workers.
int run_prepared(RoleProcess& process, const std::function<int(Handover)>& serve);

}  // namespace postern

#endif
