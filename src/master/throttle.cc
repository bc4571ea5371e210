#include "master/throttle.h"

#include <algorithm>

namespace postern {

namespace {
constexpr Milliseconds kFirstDelay{2000}, kLongestDelay{60000}, kBurst{1000};
constexpr unsigned kBurstFailures = 10;
}  // namespace

void Throttle::succeeded() {
  *this = Throttle{};
  ever_succeeded_ = true;
}

bool Throttle::failed(bool initialised, bool elder, Instant now) {
  const bool too_fast = burst(now);
  // Who can crash his own session must not be able to stop the service for others.
  if (initialised && (ever_succeeded_ || elder || !too_fast)) return false;
  if (active(now)) return false;
  begin(now);
  return true;
}

// More than ten failures within one second.
bool Throttle::burst(Instant now) {
  if (failures_ == 0 || now - burst_start_ >= kBurst) {
    burst_start_ = now;
    failures_ = 0;
  }
  return ++failures_ > kBurstFailures;
}

void Throttle::begin(Instant now) {
  delay_ = delay_ == Milliseconds(0) ? kFirstDelay : std::min(delay_ * 2, kLongestDelay);
  until_ = now + delay_;
}

}  // namespace postern
