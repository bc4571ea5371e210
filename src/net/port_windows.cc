#include "net/port_windows.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "base/fd.h"
#include "base/text.h"
#include "net/socket.h"

namespace postern {

std::optional<std::pair<uint16_t, uint16_t>> parse_port_range(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\n'; };
  const auto first_end = std::find_if(text.begin(), text.end(), is_space);
  const auto second = std::find_if_not(first_end, text.end(), is_space);
  const auto second_end = std::find_if(second, text.end(), is_space);
  const auto low = parse_number({text.begin(), first_end}), high = parse_number({second, second_end});
  if (!low || !high || *low == 0 || *low > *high || *high > 65535) return std::nullopt;
  return std::pair(static_cast<uint16_t>(*low), static_cast<uint16_t>(*high));
}

PortWindows::PortWindows(uint16_t low, uint16_t high, uint32_t seed)
    : low_(low), high_(high), count_((high - low + kWidth) / kWidth) {
  at_ = seed % count_;
  // A step without a common divisor visits every window before any twice, neighbours far apart in time.
  step_ = std::max<uint32_t>(1, count_ * 5 / 8);
  while (std::gcd(step_, count_) != 1) ++step_;
}

PortWindows PortWindows::of_this_host() {
  const Fd file(::open("/proc/sys/net/ipv4/ip_local_port_range", O_RDONLY | O_CLOEXEC));
  char text[64];
  const ssize_t n = file ? ::read(file.get(), text, sizeof text) : -1;
  if (n <= 0) return {};
  const auto range = parse_port_range({text, static_cast<size_t>(n)});
  const Fd probe(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!range || !probe || !set_port_window(probe.get(), uint32_t{range->second} << 16 | range->first)) return {};
  return PortWindows(range->first, range->second, std::random_device()());
}

uint32_t PortWindows::next() {
  if (count_ == 0) return 0;
  at_ = (at_ + step_) % count_;
  const uint32_t from = low_ + at_ * kWidth;
  return std::min(from + kWidth - 1, high_) << 16 | from;
}

}  // namespace postern
