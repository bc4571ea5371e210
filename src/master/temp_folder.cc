#include "master/temp_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/fsuid.h>

#include "base/fd.h"

namespace postern {

namespace {

// Looks at files as somebody else does: his uid for file access takes root's powers over files away as well.
class FileIdentity {
 public:
  explicit FileIdentity(const Identity& user) : gid_(::setfsgid(user.gid)), uid_(::setfsuid(user.uid)) {}
  ~FileIdentity() {
    ::setfsuid(static_cast<uid_t>(uid_));
    ::setfsgid(static_cast<gid_t>(gid_));
  }
  FileIdentity(const FileIdentity&) = delete;
  FileIdentity& operator=(const FileIdentity&) = delete;

 private:
  int gid_, uid_;
};

Status try_folder(const std::string& path) {
  const Fd file(::open(path.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (file) return {};
  if (errno == EOPNOTSUPP || errno == EISDIR) return Error("its file system has no files without a name (O_TMPFILE)");
  return Error(strerror(errno));
}

}  // namespace

Status check_temp_folder(const std::string& path, const Identity* user) {
  if (user == nullptr) return try_folder(path);
  const FileIdentity as(*user);
  return try_folder(path);
}

}  // namespace postern
