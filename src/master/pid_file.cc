#include "master/pid_file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"

namespace postern {

namespace {

std::string content_of(int fd) {
  char text[32];
  const ssize_t n = ::pread(fd, text, sizeof text, 0);
  std::string content(text, n > 0 ? static_cast<size_t>(n) : 0);
  while (!content.empty() && content.back() == '\n') content.pop_back();
  return content;
}

// Whether `fd` still is the file at `path`: the one who held the lock before us may have removed it.
bool still_there(int fd, const std::string& path) {
  struct stat ours, there;
  return ::fstat(fd, &ours) == 0 && ::stat(path.c_str(), &there) == 0 && ours.st_ino == there.st_ino &&
         ours.st_dev == there.st_dev;
}

}  // namespace

PidFile::Taken PidFile::take(const std::string& path, std::string& why) {
  Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!fd) {
    why = path + ": " + strerror(errno);
    return Taken::Broken;
  }
  const std::string before = content_of(fd.get());
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    why = "Postern is already running with PID " + before + " (read from " + path + ")";
    return Taken::Running;
  }
  if (!still_there(fd.get(), path)) return take(path, why);
  ::fchmod(fd.get(), 0644);
  if (!before.empty() && !parse_number(before)) log_error(path + " holds no process id, overwriting it");
  const std::string text = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd.get(), 0) != 0 ||
      ::pwrite(fd.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    why = path + ": " + strerror(errno);
    return Taken::Broken;
  }
  path_ = path;
  fd_ = std::move(fd);
  return Taken::Ours;
}

void PidFile::remove() {
  if (fd_) ::unlink(path_.c_str());
  fd_.reset();
}

}  // namespace postern
