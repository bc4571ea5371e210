// Replies that wait for their time; those due together leave in random order (AUC-1, AUTH-40). Pure.
#ifndef POSTERN_AUTH_DELAY_LINE_H
#define POSTERN_AUTH_DELAY_LINE_H

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "base/clock.h"

namespace postern {

class DelayLine {
 public:
  // Failures leave in batches at these intervals, so that the moment tells nothing of the work behind it.
  static constexpr Milliseconds kBatch{500};

  // `start` is where the batches count from.
  explicit DelayLine(Instant start) : start_(start) {}

  // Due at `due` exactly, or with the first batch at or after it.
  void add(uint64_t ticket, Instant due) { waiting_.emplace(due, ticket); }
  void add_batched(uint64_t ticket, Instant due);
  // Takes out what is due by `now`, shuffled with `random_below(n)`: 0 to n-1.
  std::vector<uint64_t> take_due(Instant now, const std::function<uint64_t(uint64_t)>& random_below);
  std::optional<Instant> next() const;
  size_t size() const { return waiting_.size(); }

 private:
  Instant start_;
  std::multimap<Instant, uint64_t> waiting_;
};

}  // namespace postern

#endif
