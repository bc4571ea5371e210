// The event loop of a process: libevent behind RAII handles. Destroying a handle cancels it.
#ifndef POSTERN_EVENT_LOOP_H
#define POSTERN_EVENT_LOOP_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include <functional>
#include <vector>

#include "base/clock.h"

namespace postern {

// One per process; made after any fork (PROBES 1: a base must not be inherited).
class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Runs until stop() and then until the sweep of that turn is over.
  void run();
  void stop();
  // Runs `work` at the end of this turn, after all callbacks: the place to destroy what a callback stands in (H11).
  void defer(std::function<void()> work);
  // Runs `work` at the end of every turn that did something: batched sends.
  void at_turn_end(std::function<void()> work);
  Instant now() const { return SystemClock().now(); }
  event_base* base() { return base_; }

 private:
  void sweep();

  event_base* base_;
  bool stopping_ = false;
  std::vector<std::function<void()>> deferred_;
  std::vector<std::function<void()>> turn_end_;
};

// Readiness of one descriptor. Level-triggered: a callback that leaves data unread is called again.
// Embedded in its owner; `event` is libevent's own struct, so no further allocation.
class Watch {
 public:
  // Called with EV_READ and/or EV_WRITE and the owner given to start().
  using Callback = void (*)(evutil_socket_t fd, short what, void* owner);
  Watch() = default;
  ~Watch() { stop(); }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  // Watches `fd` for `what` (EV_READ | EV_WRITE, 0 = nothing yet). Not owned: stop() before closing it.
  void start(Loop& loop, int fd, short what, Callback callback, void* owner);
  // Changes what is watched; cheap when nothing changes.
  void set(short what);
  // Has the callback called with `what` in the next turn, whatever the descriptor's state.
  void trigger(short what);
  void stop();
  short what() const { return callback_ ? static_cast<short>(event_.ev_events & (EV_READ | EV_WRITE)) : short{0}; }

 private:
  struct event event_ {};
  Callback callback_ = nullptr;  // null: not started
};

// One-shot timer.
class Timer {
 public:
  Timer() = default;
  ~Timer() { stop(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Calls `callback(owner)` once, `after` from now; a running timer is moved.
  void start(Loop& loop, Milliseconds after, void (*callback)(void* owner), void* owner);
  void stop();
  bool running() const { return running_; }

 private:
  static void fired(evutil_socket_t, short, void* self);
  struct event event_ {};
  void (*callback_)(void*) = nullptr;
  void* owner_ = nullptr;
  bool running_ = false;
};

// Calls `callback` for each delivery of a signal, from the loop.
class SignalWatch {
 public:
  SignalWatch(Loop& loop, int signal, std::function<void()> callback);
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

 private:
  struct event* event_;
  std::function<void()> callback_;
};

}  // namespace postern

#endif
