// Listening sockets, of addresses and in the file system: which ones the configuration wants, and opening them
// (MASTER-6, 7, 33).
#ifndef POSTERN_MASTER_LISTENERS_H
#define POSTERN_MASTER_LISTENERS_H

#include <compare>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"
#include "conf/settings.h"
#include "master/environment.h"
#include "master/socket_file.h"

namespace postern {

// Where clients come to: an address and port, or a path in the file system.
struct ListenAddress {
  Endpoint endpoint;  // none for a path, as clients there have none
  std::string path;   // absolute; empty for an address
  bool is_path() const { return !path.empty(); }
  std::string text() const { return is_path() ? path : endpoint.text(); }
  auto operator<=>(const ListenAddress&) const = default;
};

struct ListenerPlan {
  std::string service, name;  // a path's name is as in the settings
  ListenAddress local;
  bool ssl = false, haproxy = false, reuse_port = false;
  bool optional = false;  // "::" on a machine without IPv6 is no error
  int backlog = 0;
  // Of paths.
  SocketAccess access{}, wanted{};  // what we can give it, and what the configuration wants
  std::string where{};              // "FILE:LINE", or empty

  // "FILE:LINE: service lmtp: unix_listener lmtp", to begin an error with.
  std::string label() const;
};

// The sockets of all enabled services, in the order of the configuration; paths of login services only. Names of
// addresses are resolved, one socket for each address. An error names service, listener and what is wrong.
Result<std::vector<ListenerPlan>> plan_listeners(const Configuration& configuration, const Environment& environment);
// What would hinder a start, as far as it can be told without binding.
void check_listener(const ListenerPlan& plan, const Environment& environment, Findings& findings);

// A bound socket; shared so that an old and a new generation can hold it at once (MASTER-33: no gap).
struct ListenerSocket {
  Fd fd;
  bool reuse_port = false;
  SocketFile file{};  // of a path; unlinked when nobody holds the socket any more
};
using ListenerSockets = std::map<ListenAddress, std::shared_ptr<ListenerSocket>>;

// Sockets for all of `plans`: those of `current` where address and port, or the path, are equal, new ones else. All or
// nothing. Accepted sockets inherit TCP_NODELAY. Addresses in use are tried again for `patience` (blocking): before
// there is a loop.
Result<ListenerSockets> open_listeners(const std::vector<ListenerPlan>& plans, const ListenerSockets& current,
                                       Milliseconds patience = Milliseconds(0));
// Owner and mode of files that were kept; what cannot be changed is logged.
void refresh_access(const std::vector<ListenerPlan>& plans, const ListenerSockets& sockets);

}  // namespace postern

#endif
