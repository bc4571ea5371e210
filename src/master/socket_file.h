// A listening socket's place in the file system: bound, given to its owner, taken away again (unix_listener).
#ifndef POSTERN_MASTER_SOCKET_FILE_H
#define POSTERN_MASTER_SOCKET_FILE_H

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"

namespace postern {

// Whose the file is, and who else may connect.
struct SocketAccess {
  uid_t uid = 0;
  gid_t gid = 0;
  mode_t mode = 0600;
  bool operator==(const SocketAccess&) const = default;
};

// The file of one bound socket. It is known by its inode, which stays in use as long as this lives: whatever else comes
// to stand at the path is never touched.
class SocketFile {
 public:
  static constexpr size_t kMaxPath = 107;  // sun_path without its end

  SocketFile() = default;
  SocketFile(const SocketFile&) = delete;
  SocketFile& operator=(const SocketFile&) = delete;
  ~SocketFile() { remove(); }

  // Gives `fd` the name `path`, where nothing may be (make_room()); at no time may anybody connect whom
  // `access` leaves out.
  Status bind(int fd, const std::string& path, const SocketAccess& access);
  // Changes owner and mode where they differ.
  Status set_access(const SocketAccess& access);
  // Whether clients still find it at its path.
  bool stands() const;
  // Unlinks it, when it stands.
  void remove();

 private:
  std::string path_;
  Fd file_;  // O_PATH
};

// What at `path` can't make room for a socket, "a file" for instance; nothing when there is none, or a socket.
std::optional<std::string> obstacle_at(const std::string& path);
// Unlinks a socket that nobody listens on any more; no socket at all is fine, too. One that is in use is asked again
// until `deadline` (blocking).
Status make_room(const std::string& path, Instant deadline);

}  // namespace postern

#endif
