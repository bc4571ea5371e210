// What a process remembers of each backend address: is it dead (ALG-20), how many sessions it carries, and
// when the next client of a lost session may be disconnected (ALG-9).
#ifndef POSTERN_PROXY_BACKENDS_H
#define POSTERN_PROXY_BACKENDS_H

#include <list>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/address.h"
#include "base/clock.h"
#include "event/loop.h"

namespace postern {

// Whether a backend answers, judged from the connections of this process only (ALG-20 to ALG-22). Pure.
class BackendHealth {
 public:
  // A connect is about to start. False: fail at once, the host has been down for longer than `patience` and
  // another connect is probing it already. Call one of the two below for each that started.
  bool begin_connect(Instant now, Milliseconds patience);
  void connected(Instant now);
  // `started`: when this session's first attempt began; a success since then outweighs the failure (ALG-21).
  void failed(Instant now, Instant started);
  // The attempt ended without saying anything about the backend (client left, no source port).
  void abandoned() { --waiting_; }
  // How long it has been down, for the log.
  Milliseconds down_for() const;
  bool is_remembered() const { return waiting_ > 0 || last_failure_.has_value(); }

 private:
  std::optional<Instant> last_success_, last_failure_;
  unsigned waiting_ = 0;
};

// Even closing times for clients whose backend went away (ALG-9). Pure.
class ClosingPace {
 public:
  // When the client of a session that just ended may be closed; `left` sessions are still up. Never later
  // than `now + spread`. Zero spread: now.
  Instant next(Instant now, Milliseconds spread, size_t left);
  // All closed, or the backend took a new session: the next end stands alone again.
  void reset() { ended_ = 0; }

 private:
  Instant next_{};
  size_t ended_ = 0;
};

// Something that is to be closed when its time has come.
class DelayedClose {
 public:
  virtual void close_now() = 0;

 protected:
  ~DelayedClose() = default;
};

class Backends;

// One address of one backend. Sessions hold it by reference count.
class Backend {
 public:
  Backend(Backends& registry, Endpoint address) : registry_(registry), address_(address) {}
  ~Backend() = default;
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;

  const Endpoint& address() const { return address_; }
  BackendHealth& health() { return health_; }
  size_t sessions() const { return sessions_; }

  void session_started();
  // The client, or we, ended it.
  void session_ended() { --sessions_; }
  // The backend ended it: returns how long its client is to wait; `who` is closed then unless it was
  // cancelled. Zero: close it yourself, now; nothing is remembered.
  using Place = std::list<std::pair<Instant, DelayedClose*>>::iterator;
  Milliseconds lost(DelayedClose* who, Milliseconds spread, Place& place);
  // The same for a session that we end and whose time is chosen: `wait` from now.
  Milliseconds let_go(DelayedClose* who, Milliseconds wait, Place& place);
  void cancel(Place place);

  bool is_idle() const { return sessions_ == 0 && waiting_.empty() && !health_.is_remembered() && users_ == 0; }

 private:
  friend class Backends;
  friend class BackendRef;
  Place queue(Instant when, DelayedClose* who);
  void on_timer();
  void arm();

  Backends& registry_;
  Endpoint address_;
  BackendHealth health_;
  ClosingPace pace_;
  size_t sessions_ = 0;
  size_t users_ = 0;
  std::list<std::pair<Instant, DelayedClose*>> waiting_;  // in order of time
  Timer timer_;
};

// Keeps a Backend in the registry while somebody uses it.
class BackendRef {
 public:
  BackendRef() = default;
  BackendRef(Backends& registry, Backend& backend) : registry_(&registry), backend_(&backend) { ++backend_->users_; }
  BackendRef(BackendRef&& other) noexcept
      : registry_(std::exchange(other.registry_, nullptr)), backend_(std::exchange(other.backend_, nullptr)) {}
  BackendRef& operator=(BackendRef&& other) noexcept {
    std::swap(registry_, other.registry_);
    std::swap(backend_, other.backend_);
    return *this;
  }
  ~BackendRef();
  explicit operator bool() const { return backend_ != nullptr; }
  Backend* operator->() const { return backend_; }

 private:
  Backends* registry_ = nullptr;
  Backend* backend_ = nullptr;
};

// All backends of the process by address.
class Backends {
 public:
  explicit Backends(Loop& loop) : loop_(loop) {}
  BackendRef get(const Endpoint& address);
  Loop& loop() { return loop_; }

 private:
  friend class BackendRef;
  void release(Backend& backend);

  struct Hash {
    size_t operator()(const Endpoint& e) const { return std::hash<std::string_view>()(e.ip.bytes()) * 31 + e.port; }
  };
  Loop& loop_;
  std::unordered_map<Endpoint, std::unique_ptr<Backend>, Hash> by_address_;
};

}  // namespace postern

#endif
