#include "master/notify.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>

#include "base/clock.h"
#include "base/fd.h"

namespace postern {

Notifier::Notifier() {
  if (const char* path = ::getenv("NOTIFY_SOCKET")) path_ = path;
}

void Notifier::ready(std::string_view status) const { send("READY=1\nSTATUS=" + std::string(status)); }
void Notifier::stopping(std::string_view status) const { send("STOPPING=1\nSTATUS=" + std::string(status)); }
void Notifier::status(std::string_view text) const { send("STATUS=" + std::string(text)); }

void Notifier::reloading() const {
  const auto now =
      std::chrono::duration_cast<std::chrono::microseconds>(SystemClock().now().time_since_epoch()).count();
  send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(now));
}

void Notifier::send(const std::string& text) const {
  sockaddr_un address{};
  if (path_.empty() || path_.size() >= sizeof address.sun_path) return;
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, path_.data(), path_.size());
  if (path_[0] == '@') address.sun_path[0] = '\0';  // abstract
  const Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path_.size());
  ::sendto(fd.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&address),
           length);
}

}  // namespace postern
