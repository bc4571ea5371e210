// ChildBoot as a sealed memfd: the master writes it once per service and generation, children read it.
#ifndef POSTERN_ROLE_BOOT_MEMFD_H
#define POSTERN_ROLE_BOOT_MEMFD_H

#include "base/fd.h"
#include "base/result.h"
#include "ipc/boot.h"

namespace postern {

// Close-on-exec; nobody can change it any more.
Result<Fd> seal_boot(ChildBoot& boot);
// Maps and decodes; refuses a memfd that is not sealed, of another version of Postern, or malformed.
Result<ChildBoot> read_boot(int fd);

}  // namespace postern

#endif
