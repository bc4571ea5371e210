// sd_notify(3): what a service manager hears.
#ifndef POSTERN_MASTER_NOTIFY_H
#define POSTERN_MASTER_NOTIFY_H

#include <string>
#include <string_view>

namespace postern {

// Sends to NOTIFY_SOCKET, when there is one; losses do not matter.
class Notifier {
 public:
  // Reads NOTIFY_SOCKET.
  Notifier();
  void ready(std::string_view status) const;
  void reloading() const;  // with MONOTONIC_USEC, as Type=notify-reload wants it
  void stopping(std::string_view status) const;
  void status(std::string_view text) const;

 private:
  void send(const std::string& text) const;
  std::string path_;  // empty: none
};

}  // namespace postern

#endif
