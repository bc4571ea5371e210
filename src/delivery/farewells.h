// Saying goodbye to backends: they close first, so that the ports of our end are free at once and not after a minute in
// TIME_WAIT.
#ifndef POSTERN_DELIVERY_FAREWELLS_H
#define POSTERN_DELIVERY_FAREWELLS_H

#include <deque>
#include <memory>
#include <string_view>

#include "event/loop.h"
#include "tls/stream.h"

namespace postern {

class Farewells {
 public:
  static constexpr size_t kMost = 1000;  // at once; the oldest is closed for one more
  static constexpr Milliseconds kPatience{5000};

  explicit Farewells(Loop& loop) : loop_(loop) {}

  // Sends `words` as far as they go, and closes once the other end has, or its time is over.
  void say(Stream stream, std::string_view words);
  size_t size() const { return leaving_.size(); }

 private:
  struct Leaving {
    Farewells* all;
    Instant until;
    Stream stream;
    Watch watch;
    bool over = false;
  };
  void on_readable(Leaving& leaving);
  void sweep();

  Loop& loop_;
  std::deque<std::unique_ptr<Leaving>> leaving_;  // in order of time
  Timer timer_;
  bool sweep_pending_ = false;
};

}  // namespace postern

#endif
