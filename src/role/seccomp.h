// System calls a role may make once it is in its jail (PRIV-10); everything else fails with EPERM and is left to
// the kernel's audit log.
#ifndef POSTERN_ROLE_SECCOMP_H
#define POSTERN_ROLE_SECCOMP_H

#include "base/result.h"
#include "ipc/topology.h"

namespace postern {

// What some processes of a role may do beside the others.
struct ExtraCalls {
  bool forks = false;            // child processes: prepared parents
  bool temporary_files = false;  // files without a name, in folders that are open
};

// Installs the role's filter; roles without a table have none. Nothing in sanitizer builds and without libseccomp.
Status install_seccomp(Role role, const ExtraCalls& extra);

}  // namespace postern

#endif
