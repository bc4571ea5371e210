// Time, as values that tests can make up.
#ifndef POSTERN_BASE_CLOCK_H
#define POSTERN_BASE_CLOCK_H

#include <chrono>
#include <cstdint>

namespace postern {

using Milliseconds = std::chrono::milliseconds;
// A point on CLOCK_MONOTONIC.
using Instant = std::chrono::time_point<std::chrono::steady_clock>;

// The world's clocks behind an interface; t/support has a fake.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant now() const = 0;
  // Microseconds since 1970, for session ids and time stamps shown to people.
  virtual uint64_t wall_microseconds() const = 0;
};

class SystemClock final : public Clock {
 public:
  Instant now() const override { return std::chrono::steady_clock::now(); }
  uint64_t wall_microseconds() const override {
    return static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
            .count());
  }
};

}  // namespace postern

#endif
