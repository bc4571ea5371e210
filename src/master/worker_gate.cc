#include "master/worker_gate.h"

#include <algorithm>

#include "master/supervisor.h"

namespace postern {

bool WorkerGate::ended(bool clean, Instant now) {
  if (workers_ > 0) --workers_;
  if (clean) {
    throttle_.succeeded();
    return false;
  }
  return throttle_.failed(true, false, now);
}

uint32_t WorkerGate::room(Instant now) const {
  if (throttle_.active(now) || workers_ >= limit_) return 0;
  return limit_ - workers_;
}

bool WorkerGate::full(Instant now) {
  paused_until_ = now + Supervisor::kFullPause;
  pause_pending_ = true;
  if (last_warning_ != Instant{} && now - last_warning_ < Supervisor::kWarnEvery) return false;
  last_warning_ = now;
  return true;
}

bool WorkerGate::take_pause_over(Instant now) {
  if (!pause_pending_ || now < paused_until_) return false;
  pause_pending_ = false;
  return workers_ >= limit_;
}

std::optional<Instant> WorkerGate::next_change(Instant now) const {
  std::optional<Instant> next;
  if (throttle_.active(now)) next = throttle_.until();
  if (pause_pending_ && paused_until_ > now) next = next ? std::min(*next, paused_until_) : paused_until_;
  return next;
}

}  // namespace postern
