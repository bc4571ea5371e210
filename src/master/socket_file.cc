#include "master/socket_file.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <thread>

namespace postern {

namespace {

static_assert(SocketFile::kMaxPath == sizeof(sockaddr_un::sun_path) - 1);

constexpr Milliseconds kAskEvery{20};

Error failure(const char* what, const std::string& path) {
  return Error(fmt::format("{}({}): {}", what, path, strerror(errno)));
}

bool name_of(const std::string& path, sockaddr_un& address) {
  address = {};
  address.sun_family = AF_UNIX;
  if (path.size() > SocketFile::kMaxPath) {
    errno = ENAMETOOLONG;
    return false;
  }
  memcpy(address.sun_path, path.data(), path.size());
  return true;
}

// For one bind: the file is never more open than it is meant to be.
class Umask {
 public:
  explicit Umask(mode_t mask) : before_(::umask(mask)) {}
  Umask(const Umask&) = delete;
  Umask& operator=(const Umask&) = delete;
  ~Umask() { ::umask(before_); }

 private:
  const mode_t before_;
};

// 0: somebody listens there; else why connecting fails.
int error_of_connect(const std::string& path) {
  sockaddr_un address;
  if (!name_of(path, address)) return errno;
  const Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return errno;
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return 0;
  return errno == EAGAIN ? 0 : errno;  // EAGAIN: and his queue is full
}

}  // namespace

Status SocketFile::bind(int fd, const std::string& path, const SocketAccess& access) {
  sockaddr_un address;
  if (!name_of(path, address)) return failure("bind", path);
  {
    const Umask mask(0777 & ~access.mode);
    if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return failure("bind", path);
  }
  path_ = path;
  file_ = Fd(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!file_) return failure("open", path);
  return set_access(access);
}

// By the descriptor: the folder may be somebody's who would put a link to another file in its place.
Status SocketFile::set_access(const SocketAccess& access) {
  struct stat st;
  if (::fstat(file_.get(), &st) != 0) return failure("stat", path_);
  if (!S_ISSOCK(st.st_mode)) return Error(path_ + ": was replaced");
  const auto give = [&](uid_t uid, gid_t gid) { return ::fchownat(file_.get(), "", uid, gid, AT_EMPTY_PATH) == 0; };
  if ((st.st_mode & 07777) != access.mode) {
    // Only the owner may, for CAP_FOWNER isn't kept (MASTER-40).
    if (st.st_uid != ::geteuid() && !give(::geteuid(), st.st_gid)) return failure("chown", path_);
    if (::chmod(fmt::format("/proc/self/fd/{}", file_.get()).c_str(), access.mode) != 0) return failure("chmod", path_);
    st.st_uid = ::geteuid();
  }
  if ((st.st_uid != access.uid || st.st_gid != access.gid) && !give(access.uid, access.gid))
    return failure("chown", path_);
  return {};
}

bool SocketFile::stands() const {
  struct stat ours, there;
  return file_ && ::fstat(file_.get(), &ours) == 0 && ::lstat(path_.c_str(), &there) == 0 &&
         ours.st_ino == there.st_ino && ours.st_dev == there.st_dev;
}

void SocketFile::remove() {
  if (stands()) ::unlink(path_.c_str());
  file_.reset();
}

std::optional<std::string> obstacle_at(const std::string& path) {
  struct stat st;
  if (::lstat(path.c_str(), &st) != 0)
    return errno == ENOENT ? std::nullopt : std::optional<std::string>(strerror(errno));
  switch (st.st_mode & S_IFMT) {
    case S_IFSOCK: return std::nullopt;
    case S_IFDIR: return "a folder stands there";
    case S_IFLNK: return "a symbolic link stands there";
    case S_IFREG: return "a file that is no socket stands there";
    default: return "a device or a pipe stands there";
  }
}

Status make_room(const std::string& path, Instant deadline) {
  if (const auto obstacle = obstacle_at(path)) return Error(path + ": " + *obstacle);
  int error = 0;
  while ((error = error_of_connect(path)) == 0) {
    if (std::chrono::steady_clock::now() >= deadline) return Error(path + ": in use, somebody listens there");
    std::this_thread::sleep_for(kAskEvery);
  }
  if (error == ENOENT) return {};
  errno = error;
  if (error != ECONNREFUSED) return failure("connect", path);
  return ::unlink(path.c_str()) == 0 || errno == ENOENT ? Status() : Status(failure("unlink", path));
}

}  // namespace postern
