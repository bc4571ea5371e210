#include "ctl/admin_client.h"

#include <errno.h>
#include <fmt/core.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "base/check.h"

namespace postern {

namespace {

constexpr time_t kPatience = 30;  // seconds

int status_of(int error) { return error == EACCES || error == EPERM ? kExitNoPerm : kExitUnavailable; }

}  // namespace

AdminClient::Outcome AdminClient::connect(const std::string& path) {
  path_ = path;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return {kExitUsage, path + ": too long for a socket"};
  memcpy(address.sun_path, path.data(), path.size());
  fd_ = Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval patience{kPatience, 0};
  if (!fd_ || ::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return {status_of(errno), fmt::format("cannot reach postern at {}: {}", path, strerror(errno))};
  for (const int direction : {SO_RCVTIMEO, SO_SNDTIMEO})
    ::setsockopt(fd_.get(), SOL_SOCKET, direction, &patience, sizeof patience);
  return {};
}

bool AdminClient::send(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

bool AdminClient::next_line(std::string& line) {
  size_t looked_at = 0;
  for (;;) {
    const size_t end = in_.find('\n', looked_at);
    if (end != std::string::npos) {
      line = in_.substr(0, end);
      in_.erase(0, end + 1);
      return true;
    }
    looked_at = in_.size();
    char buffer[16 * 1024];
    const ssize_t n = ::recv(fd_.get(), buffer, sizeof buffer, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0 || in_.size() > kMaxAdminLine) return false;
    in_.append(buffer, static_cast<size_t>(n));
  }
}

AdminClient::Outcome AdminClient::ask(const AdminRequest& request,
                                      const std::function<void(const AdminSession&)>& session, const Line& line,
                                      AdminEnd& end) {
  if (!send(encode_admin(request))) return {kExitUnavailable, fmt::format("{}: {}", path_, strerror(errno))};
  std::string text;
  while (next_line(text)) {
    const auto answer = decode_admin_answer(text);
    if (!answer) return {kExitSoftware, fmt::format("{}: {}", path_, answer.error())};
    line(text);
    if (const auto* one = std::get_if<AdminSession>(&*answer)) {
      session(*one);
      continue;
    }
    end = std::get<AdminEnd>(*answer);
    return {end.status, end.error};
  }
  return {kExitTempFail, fmt::format("{}: no complete answer (not permitted? see the log)", path_)};
}

}  // namespace postern
