// Time that a test can move.
#ifndef POSTERN_T_SUPPORT_MOVABLE_CLOCK_H
#define POSTERN_T_SUPPORT_MOVABLE_CLOCK_H

#include "base/clock.h"

namespace postern {

// The real clock, which a test can set ahead.
class MovableClock final : public Clock {
 public:
  Instant now() const override { return real_.now() + ahead; }
  uint64_t wall_microseconds() const override { return real_.wall_microseconds(); }
  std::chrono::seconds ahead{0};

 private:
  SystemClock real_;
};

}  // namespace postern

#endif
