#include "auth/delay_line.h"

#include <utility>

namespace postern {

void DelayLine::add_batched(uint64_t ticket, Instant due) {
  const auto age = due - start_;
  const auto over = age % kBatch;
  add(ticket, over.count() == 0 ? due : due + (kBatch - over));
}

std::vector<uint64_t> DelayLine::take_due(Instant now, const std::function<uint64_t(uint64_t)>& random_below) {
  std::vector<uint64_t> out;
  const auto end = waiting_.upper_bound(now);
  for (auto it = waiting_.begin(); it != end; ++it) out.push_back(it->second);
  waiting_.erase(waiting_.begin(), end);
  for (size_t i = out.size(); i > 1; --i) std::swap(out[i - 1], out[random_below(i)]);
  return out;
}

std::optional<Instant> DelayLine::next() const {
  if (waiting_.empty()) return std::nullopt;
  return waiting_.begin()->first;
}

}  // namespace postern
