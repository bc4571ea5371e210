#include "auth/db_sql_hosts.h"

#include <algorithm>

namespace postern {

namespace {

constexpr std::chrono::seconds kLongestPause{15};

}  // namespace

std::optional<size_t> SqlHosts::take(Instant now) {
  for (size_t i = 0; i < hosts_.size(); ++i) {
    const size_t host = (next_ + i) % hosts_.size();
    if (now < hosts_[host].not_before) continue;
    next_ = (host + 1) % hosts_.size();
    return host;
  }
  return std::nullopt;
}

void SqlHosts::failed(size_t host, Instant now) {
  Host& h = hosts_[host];
  h.not_before = now + h.pause;
  h.pause = std::min(h.pause * 5, kLongestPause);
}

}  // namespace postern
