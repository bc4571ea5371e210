// The one place where processes are started: fork and exec with the descriptors of ipc/boot.h.
#ifndef POSTERN_MASTER_SPAWN_H
#define POSTERN_MASTER_SPAWN_H

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"

namespace postern {

struct SpawnRequest {
  std::string executable;
  std::string service;     // argv[1], for ps
  std::string title_room;  // "": none
  bool trial = false;      // argv[2] kTrialArgument: checks its settings and ends
  int control = -1, log = -1, boot = -1, dead_man = -1;
  std::vector<int> listeners;  // in the order of ChildBoot::listeners
  int error_output = -1;       // becomes fd 2
};

// The child's environment is made from nothing but PATH, TZ and, in sanitizer builds, the sanitizers' options
// (MASTER-41). A failed exec is written to error_output and ends the child with 84.
Result<pid_t> spawn(const SpawnRequest& request);

// --- for all that the master starts ---
// fork(2) with all signals blocked, in the child still: it calls reset_signals(). 0 in the child.
Result<pid_t> fork_without_signals();
// Default handlers, nothing blocked.
void reset_signals();
// For exec: null at the end.
std::vector<char*> c_strings(std::vector<std::string>& strings);

}  // namespace postern

#endif
