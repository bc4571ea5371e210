// base_dir/admin.sock: bound here, as root; postern-state answers on it (DECISIONS section 4).
#ifndef POSTERN_MASTER_ADMIN_SOCKET_H
#define POSTERN_MASTER_ADMIN_SOCKET_H

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace postern {

class AdminSocket {
 public:
  AdminSocket() = default;
  AdminSocket(const AdminSocket&) = delete;
  AdminSocket& operator=(const AdminSocket&) = delete;
  ~AdminSocket() { remove(); }

  // Binds and listens, mode 0660; one that was left behind is replaced: the pid file's lock is ours. `group`: its
  // owner then is root. The error names the path.
  Status open(const std::string& path, std::optional<gid_t> group);
  // Unlinks it, when it is ours.
  void remove();
  int fd() const { return fd_.get(); }

 private:
  std::string path_;
  Fd fd_;
};

}  // namespace postern

#endif
