#include "master/file_access.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/fsuid.h>

#include <optional>

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
  std::optional<FileIdentity> as;
  if (user != nullptr) as.emplace(*user);
  return try_folder(path);
}

Status check_readable(const std::string& path, const Identity* user) {
  std::optional<FileIdentity> as;
  if (user != nullptr) as.emplace(*user);
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  return file ? Status() : Error(strerror(errno));
}

}  // namespace postern
