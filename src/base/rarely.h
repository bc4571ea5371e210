// Something that is said once per key and period, however often there is cause: log lines that a peer, or a common
// mistake in a database, could bring without end. Pure: time is told.
#ifndef POSTERN_BASE_RARELY_H
#define POSTERN_BASE_RARELY_H

#include <cstddef>
#include <deque>
#include <string>
#include <unordered_set>
#include <utility>

#include "base/clock.h"

namespace postern {

class Rarely {
 public:
  // At most `most` keys within a period: what comes beyond that is not said at all.
  explicit Rarely(Milliseconds period, size_t most = 1000) : period_(period), most_(most) {}

  // Whether this is to be said now. `now` never goes back.
  bool says(const std::string& key, Instant now) {
    for (; !said_.empty() && now - said_.front().first >= period_; said_.pop_front()) keys_.erase(said_.front().second);
    if (said_.size() >= most_ || !keys_.insert(key).second) return false;
    said_.emplace_back(now, key);
    return true;
  }

 private:
  Milliseconds period_;
  size_t most_;
  std::unordered_set<std::string> keys_;
  std::deque<std::pair<Instant, std::string>> said_;  // oldest first
};

}  // namespace postern

#endif
