// System calls a role may make once it is in its jail (PRIV-10); everything else fails with EPERM and is left to
// the kernel's audit log.
#ifndef POSTERN_ROLE_SECCOMP_H
#define POSTERN_ROLE_SECCOMP_H

#include "base/result.h"
#include "ipc/topology.h"

namespace postern {

// Installs the role's filter; roles without a table have none. `forks`: may make child processes (prepared parents).
// Nothing in sanitizer builds and without libseccomp.
Status install_seccomp(Role role, bool forks);

}  // namespace postern

#endif
