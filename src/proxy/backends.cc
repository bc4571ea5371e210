#include "proxy/backends.h"

#include <algorithm>
#include <utility>

namespace postern {

bool BackendHealth::begin_connect(Instant now, Milliseconds patience) {
  using namespace std::chrono_literals;
  if (!last_success_) last_success_ = now - 1s;
  const bool down = patience.count() > 0 && last_failure_ && *last_failure_ > *last_success_ &&
                    *last_failure_ - *last_success_ > patience;
  if (down && waiting_ > 0) return false;
  ++waiting_;
  return true;
}

void BackendHealth::connected(Instant now) {
  --waiting_;
  last_success_ = now;
  last_failure_.reset();
}

void BackendHealth::failed(Instant now, Instant started) {
  --waiting_;
  if (last_success_ && *last_success_ > started) return;
  last_failure_ = now;
}

Milliseconds BackendHealth::down_for() const {
  if (!last_failure_ || !last_success_) return Milliseconds(0);
  return std::chrono::duration_cast<Milliseconds>(*last_failure_ - *last_success_);
}

Instant ClosingPace::next(Instant now, Milliseconds spread, size_t left) {
  if (spread.count() == 0) return now;
  ++ended_;
  if (ended_ == 1) next_ = now;
  else next_ = std::max<Instant>(now, next_ + std::chrono::nanoseconds(spread) / static_cast<int64_t>(left + ended_));
  next_ = std::min<Instant>(next_, now + spread);
  return next_;
}

void Backend::session_started() {
  ++sessions_;
  pace_.reset();
}

Milliseconds Backend::lost(DelayedClose* who, Milliseconds spread, Place& place) {
  --sessions_;
  const Instant now = SystemClock().now();
  const Instant when = pace_.next(now, spread, sessions_);
  if (when <= now) {
    if (waiting_.empty() && sessions_ == 0) pace_.reset();
    return Milliseconds(0);
  }
  place = queue(when, who);
  return std::chrono::ceil<Milliseconds>(when - now);
}

Milliseconds Backend::let_go(DelayedClose* who, Milliseconds wait, Place& place) {
  --sessions_;
  if (wait.count() > 0) place = queue(SystemClock().now() + wait, who);
  return wait;
}

// In order of time; paced ones come in order.
Backend::Place Backend::queue(Instant when, DelayedClose* who) {
  auto at = waiting_.end();
  while (at != waiting_.begin() && std::prev(at)->first > when) --at;
  const Place place = waiting_.emplace(at, when, who);
  if (place == waiting_.begin()) arm();
  return place;
}

void Backend::cancel(Place place) {
  waiting_.erase(place);
  if (waiting_.empty()) pace_.reset();
}

void Backend::arm() {
  const auto wait = std::chrono::ceil<Milliseconds>(waiting_.front().first - SystemClock().now());
  timer_.start(
      registry_.loop(), std::max(wait, Milliseconds(0)), [](void* self) { static_cast<Backend*>(self)->on_timer(); },
      this);
}

void Backend::on_timer() {
  const BackendRef self(registry_, *this);  // the last close must not take this object along
  const Instant now = SystemClock().now();
  while (!waiting_.empty() && waiting_.front().first <= now) {
    DelayedClose* who = waiting_.front().second;
    waiting_.pop_front();
    who->close_now();
  }
  if (waiting_.empty()) pace_.reset();
  else arm();
}

BackendRef::~BackendRef() {
  if (backend_ == nullptr) return;
  --backend_->users_;
  registry_->release(*backend_);
}

BackendRef Backends::get(const Endpoint& address) {
  auto& slot = by_address_[address];
  if (!slot) slot = std::make_unique<Backend>(*this, address);
  return BackendRef(*this, *slot);
}

void Backends::release(Backend& backend) {
  if (backend.is_idle()) by_address_.erase(Endpoint(backend.address()));
}

}  // namespace postern
