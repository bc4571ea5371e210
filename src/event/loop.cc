#include "event/loop.h"

#include <utility>

#include "base/check.h"

namespace postern {

Loop::Loop() {
  event_config* config = event_config_new();
  event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
  event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
  event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV);  // its questions cost a forked worker three pages
  base_ = event_base_new_with_config(config);
  event_config_free(config);
  POSTERN_CHECK(base_ != nullptr, "no event base");
}

Loop::~Loop() {
  deferred_.clear();
  event_base_free(base_);
}

void Loop::run() {
  stopping_ = false;
  while (!stopping_) {
    sweep();  // what start-up code deferred or queued must not wait for the first event
    if (stopping_) return;
    const int how = event_base_loop(base_, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY);
    POSTERN_CHECK(how >= 0, "event loop failed");
    sweep();
  }
}

void Loop::stop() {
  stopping_ = true;
  event_base_loopbreak(base_);
}

void Loop::defer(std::function<void()> work) { deferred_.push_back(std::move(work)); }
void Loop::at_turn_end(std::function<void()> work) { turn_end_.push_back(std::move(work)); }

void Loop::sweep() {
  while (!deferred_.empty()) {
    const auto work = std::exchange(deferred_, {});
    for (const auto& w : work) w();
  }
  for (const auto& w : turn_end_) w();
}

void Watch::start(Loop& loop, int fd, short what, Callback callback, void* owner) {
  stop();
  callback_ = callback;
  event_assign(&event_, loop.base(), fd, static_cast<short>(what | EV_PERSIST), callback, owner);
  if (what != 0) event_add(&event_, nullptr);
}

void Watch::set(short what) {
  if (callback_ == nullptr || what == this->what()) return;
  const short triggered =
      event_.ev_evcallback.evcb_flags & (EVLIST_ACTIVE | EVLIST_ACTIVE_LATER) ? event_.ev_res : short{0};
  event_del(&event_);
  event_assign(&event_, event_.ev_base, event_.ev_fd, static_cast<short>(what | EV_PERSIST), callback_,
               event_.ev_evcallback.evcb_arg);
  if (what != 0) event_add(&event_, nullptr);
  if (triggered != 0) event_active(&event_, triggered, 0);
}

void Watch::trigger(short what) {
  if (callback_ != nullptr) event_active(&event_, what, 0);
}

void Watch::stop() {
  if (callback_ == nullptr) return;
  event_del(&event_);  // also when only triggered
  callback_ = nullptr;
}

void Timer::start(Loop& loop, Milliseconds after, void (*callback)(void*), void* owner) {
  stop();
  callback_ = callback;
  owner_ = owner;
  const timeval tv{after.count() / 1000, static_cast<suseconds_t>(after.count() % 1000 * 1000)};
  event_assign(&event_, loop.base(), -1, 0, &Timer::fired, this);
  event_add(&event_, &tv);
  running_ = true;
}

void Timer::stop() {
  if (running_) event_del(&event_);
  running_ = false;
}

void Timer::fired(evutil_socket_t, short, void* self) {
  auto* timer = static_cast<Timer*>(self);
  timer->running_ = false;
  timer->callback_(timer->owner_);
}

SignalWatch::SignalWatch(Loop& loop, int signal, std::function<void()> callback) : callback_(std::move(callback)) {
  event_ = evsignal_new(
      loop.base(), signal, [](evutil_socket_t, short, void* self) { static_cast<SignalWatch*>(self)->callback_(); },
      this);
  event_add(event_, nullptr);
}

SignalWatch::~SignalWatch() { event_free(event_); }

}  // namespace postern
