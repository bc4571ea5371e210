// How long a service that cannot start waits before the next try (MASTER-27 to 29). Pure.
#ifndef POSTERN_MASTER_THROTTLE_H
#define POSTERN_MASTER_THROTTLE_H

#include "base/clock.h"

namespace postern {

class Throttle {
 public:
  // A process ended with status 0: everything is forgotten (MASTER-27).
  void succeeded();
  // A process ended otherwise. `initialised`: it had reported ready; `elder`: another that did is older than 10 s.
  // True when throttling begins: say so with delay() (MASTER-28).
  bool failed(bool initialised, bool elder, Instant now);
  // fork() itself failed.
  void fork_failed(Instant now) { begin(now); }

  bool active(Instant now) const { return now < until_; }
  Instant until() const { return until_; }
  Milliseconds delay() const { return delay_; }  // of the current or latest pause

 private:
  void begin(Instant now);
  bool burst(Instant now);

  bool ever_succeeded_ = false;
  unsigned failures_ = 0;  // since burst_start_
  Instant burst_start_{};
  Milliseconds delay_{0};
  Instant until_{};
};

}  // namespace postern

#endif
