// What a process gives up before it meets the network (PRIV-8, MASTER-42). All steps work on the calling process
// and are final.
#ifndef POSTERN_ROLE_JAIL_H
#define POSTERN_ROLE_JAIL_H

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace postern {

struct Identity {
  uid_t uid = 0;
  gid_t gid = 0;
};

// Looks both names up; an empty group is the user's own. Numbers are accepted.
Result<Identity> find_identity(const std::string& user, const std::string& group);

Result<gid_t> find_group(const std::string& name);

// No core dumps, no ptrace by others, no new privileges by exec. Works without root.
Status harden_process();
// RLIMIT_AS; 0 is none. Nothing in sanitizer builds, which reserve terabytes.
Status limit_address_space(int64_t bytes);
// Into the empty directory `path`; needs root.
Status enter_root(const std::string& path);
// Supplementary groups (those of the system user `groups_of`, or none), gid, uid, in this order; then tries to get root
// back, which must fail. Needs root.
Status become(const Identity& identity, const std::string& groups_of = {});
// Empties the bounding set, then all others; what the bounding set needs (CAP_SETPCAP) must still be there.
Status drop_bounding_set();
Status drop_capabilities();

}  // namespace postern

#endif
