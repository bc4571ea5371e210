// Which local ports outgoing connections search.
#ifndef POSTERN_NET_PORT_WINDOWS_H
#define POSTERN_NET_PORT_WINDOWS_H

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

namespace postern {

// Towards one address and port the kernel finds a free local port at once while half of its range is free, and walks
// tens of thousands of entries for each connect from there on (PROBES 4). Inside a small window (socket option
// IP_LOCAL_PORT_RANGE, Linux 6.3) the search stays short: each connect gets another window, so that all fill evenly.
class PortWindows {
 public:
  // No windows: the kernel searches its whole range.
  PortWindows() = default;
  // Windows of [low, high]; `seed` is any number, which makes processes begin at different places.
  PortWindows(uint16_t low, uint16_t high, uint32_t seed);
  // As this host is set (net.ipv4.ip_local_port_range), none where the kernel lacks the option. Before the jail.
  static PortWindows of_this_host();

  bool empty() const { return count_ == 0; }
  // The next window, as the option takes it (high << 16 | low); 0 without windows.
  uint32_t next();
  // How many windows a connect may try before its source counts as full.
  static constexpr unsigned kTries = 8;

 private:
  static constexpr uint32_t kWidth = 128;
  uint32_t low_ = 0, high_ = 0, count_ = 0, at_ = 0, step_ = 1;
};

// "low high" as in /proc/sys/net/ipv4/ip_local_port_range.
std::optional<std::pair<uint16_t, uint16_t>> parse_port_range(std::string_view text);

}  // namespace postern

#endif
