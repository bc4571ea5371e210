// Listening sockets: which ones the configuration wants, and opening them (MASTER-6, 7, 33).
#ifndef POSTERN_MASTER_LISTENERS_H
#define POSTERN_MASTER_LISTENERS_H

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"
#include "conf/settings.h"

namespace postern {

struct ListenerPlan {
  std::string service, name;
  Endpoint local;
  bool ssl = false, haproxy = false, reuse_port = false;
  bool optional = false;  // "::" on a machine without IPv6 is no error
  int backlog = 0;
};

// The sockets of all enabled services, in the order of the configuration. Names of addresses are resolved, one
// socket for each address. An error names service, listener and what is wrong.
Result<std::vector<ListenerPlan>> plan_listeners(const Configuration& configuration);

// A bound socket; shared so that an old and a new generation can hold it at once (MASTER-33: no gap).
struct ListenerSocket {
  Fd fd;
  bool reuse_port = false;
};
using ListenerSockets = std::map<Endpoint, std::shared_ptr<ListenerSocket>>;

// Sockets for all of `plans`: those of `current` where address and port are equal, new ones else. All or nothing.
// Accepted sockets inherit TCP_NODELAY. Addresses in use are tried again for `patience` (blocking): before there is a loop.
Result<ListenerSockets> open_listeners(const std::vector<ListenerPlan>& plans, const ListenerSockets& current, Milliseconds patience = Milliseconds(0));

}  // namespace postern

#endif
