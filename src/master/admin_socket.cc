#include "master/admin_socket.h"

#include <errno.h>
#include <fmt/core.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace postern {

namespace {

constexpr int kBacklog = 16;

Error failure(const char* what, const std::string& path) {
  return Error(fmt::format("{}({}): {}", what, path, strerror(errno)));
}

}  // namespace

Status AdminSocket::open(const std::string& path, std::optional<gid_t> group) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return Error(path + ": too long for a socket, base_dir must be shorter");
  memcpy(address.sun_path, path.data(), path.size());
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return failure("socket", path);
  ::unlink(path.c_str());
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return failure("bind", path);
  path_ = path;
  if (group && ::chown(path.c_str(), 0, *group) != 0) return failure("chown", path);
  if (::chmod(path.c_str(), 0660) != 0) return failure("chmod", path);
  if (::listen(fd.get(), kBacklog) != 0) return failure("listen", path);
  fd_ = std::move(fd);
  return {};
}

void AdminSocket::remove() {
  if (!path_.empty()) ::unlink(path_.c_str());
  path_.clear();
}

}  // namespace postern
