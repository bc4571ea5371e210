// How many connections a worker still takes (MASTER-2, MASTER-21). Pure.
#ifndef POSTERN_LOGIN_SLOTS_H
#define POSTERN_LOGIN_SLOTS_H

#include <algorithm>
#include <cstdint>
#include <limits>

namespace postern {

// service_count = 0 means any number over the process' life; else no more than that are ever taken, and the
// worker retires once they are.
class Slots {
 public:
  Slots(uint32_t client_limit, uint32_t service_count)
      : left_(service_count == 0 ? std::numeric_limits<uint32_t>::max() : service_count),
        limit_(std::min(client_limit, left_)),
        endless_(service_count == 0) {}

  void taken() {
    ++used_;
    if (!endless_) --left_;
  }
  void ended() { --used_; }

  // Connections it would take now.
  uint32_t available() const { return std::min(limit_ - used_, left_); }
  // service_count is used up: what is there is finished, nothing new taken.
  bool retired() const { return left_ == 0; }
  uint32_t used() const { return used_; }

 private:
  uint32_t left_;  // connections still to be taken in this life
  uint32_t limit_;
  uint32_t used_ = 0;
  bool endless_;
};

}  // namespace postern

#endif
