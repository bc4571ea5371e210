// Names and addresses of a process that may still ask the system and wait: before the jail, once. Destinations of
// logins are resolved by auth (net/resolver.h).
#ifndef POSTERN_NET_NAMES_H
#define POSTERN_NET_NAMES_H

#include <string>
#include <vector>

#include "base/address.h"

namespace postern {

// All addresses of `name`, an address's own; empty with `why` when there are none.
std::vector<IpAddress> resolve_now(const std::string& name, std::string& why);

// This machine's FQDN, or what it calls itself where it has none.
std::string machine_name();

}  // namespace postern

#endif
