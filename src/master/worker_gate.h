// service_count = 1: how many one-connection workers may live, and whether the master accepts (MASTER-15, 17,
// 23, 28). Pure; every call takes constant time.
#ifndef POSTERN_MASTER_WORKER_GATE_H
#define POSTERN_MASTER_WORKER_GATE_H

#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "master/throttle.h"

namespace postern {

class WorkerGate {
 public:
  explicit WorkerGate(uint32_t process_limit) : limit_(process_limit) {}

  void ordered() { ++workers_; }
  // True when throttling begins. A worker that was never forked counts as failed.
  bool ended(bool clean, Instant now);
  // Workers of an old generation count until they end: they are processes of the service.
  void adopt(uint32_t workers) { workers_ += workers; }
  void set_limit(uint32_t process_limit) { limit_ = process_limit; }

  // How many connections may be accepted now.
  uint32_t room(Instant now) const;
  // A connection waits and there is no room: true when that is to be said (at most once a second). The listeners
  // rest until pause_over() or until a worker ends.
  bool full(Instant now);
  bool paused(Instant now) const { return workers_ >= limit_ && now < paused_until_; }
  // The pause ended without room: what waits is to be discarded once. Told once.
  bool take_pause_over(Instant now);
  std::optional<Instant> next_change(Instant now) const;

  uint32_t workers() const { return workers_; }
  bool throttled(Instant now) const { return throttle_.active(now); }
  Milliseconds throttle_delay() const { return throttle_.delay(); }

 private:
  uint32_t limit_;
  uint32_t workers_ = 0;
  Throttle throttle_;
  Instant paused_until_{}, last_warning_{};
  bool pause_pending_ = false;
};

}  // namespace postern

#endif
