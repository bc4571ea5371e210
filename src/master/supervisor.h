// When to fork, whom to end and who listens, for one service (MASTER-10 to 22, 27 to 29). Pure: events and the
// time go in, decisions come out; src/master/master.cc performs them.
#ifndef POSTERN_MASTER_SUPERVISOR_H
#define POSTERN_MASTER_SUPERVISOR_H

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "master/throttle.h"

namespace postern {

struct SupervisorLimits {
  // Whether its processes accept connections and report how many more they take. Otherwise a process is
  // available as long as it lives (log, auth, auth-worker, prepared parents).
  bool accepts = true;
  uint32_t min_avail = 0, process_limit = 100, client_limit = 1000;
  Milliseconds idle_kill{60000};  // 0: never; only for processes that accept
};

class Supervisor {
 public:
  explicit Supervisor(const SupervisorLimits& limits) : limits_(limits) {}

  // --- what happened ---
  void forked(uint32_t pid, Instant now);
  void fork_failed(Instant now) { throttle_.fork_failed(now); }
  // ChildReady or ChildStatus; the first says that the process is up.
  void status(uint32_t pid, uint32_t available, bool retired, Instant now);
  // It was told to take nothing new: counts neither as available nor towards process_limit (MASTER-16).
  void stopping(uint32_t pid);
  // True when throttling begins, to be logged with throttle_delay().
  bool ended(uint32_t pid, bool clean, Instant now);
  // Auth has more work than workers: one more, up to process_limit.
  void want_more();

  // --- what to do ---
  // Processes to fork now: down to none while throttled, at most kPreforkBatch (MASTER-18).
  uint32_t forks_wanted(Instant now) const;
  enum class Listen : uint8_t {
    Off,     // children poll the listeners, or nobody does
    Fork,    // the master polls: a waiting connection means another process
    Discard  // nothing lives and nothing may start: connections are accepted and closed (MASTER-29)
  };
  Listen listen(Instant now) const;
  // A connection waits while listen() is Fork.
  enum class Waiting : uint8_t { ForkOne, Full, FullWarn };  // FullWarn: and say that process_limit is reached
  Waiting connection_waiting(Instant now);
  // The pause after Full is over: what waits is to be discarded once. Told once.
  bool take_pause_over(Instant now);
  // Never reported within 30 s: to be killed (MASTER-14). Each is returned once.
  std::vector<uint32_t> take_overdue(Instant now);
  // Idle for the whole idle_kill and not needed to keep min_avail: to be told to stop (MASTER-22).
  std::vector<uint32_t> take_idle(Instant now);
  // When one of these answers changes by time alone.
  std::optional<Instant> next_change(Instant now) const;

  // Nothing lives and nothing may start yet.
  bool lost(Instant now) const { return processes_.empty() && throttle_.active(now); }
  bool is_ready(uint32_t pid) const;
  size_t processes() const { return processes_.size(); }
  uint32_t available_processes() const { return available_; }
  Milliseconds throttle_delay() const { return throttle_.delay(); }

  static constexpr uint32_t kPreforkBatch = 10;
  static constexpr Milliseconds kReadyWithin{30000}, kFullPause{10000}, kWarnEvery{1000}, kElder{10000};

 private:
  struct Process {
    uint32_t available = 0;
    bool ready = false, retired = false, stopping = false, overdue = false;
    Instant started{};
    std::optional<Instant> idle_since;
    bool counts() const { return !retired && !stopping; }
  };
  uint32_t active() const { return active_; }
  bool full() const { return active_ >= limits_.process_limit; }
  bool paused(Instant now) const { return full() && now < paused_until_; }
  bool has_elder(Instant now) const;
  void set_available(Process& process, uint32_t available);
  void leave_active(Process& process, bool& flag);

  SupervisorLimits limits_;
  std::unordered_map<uint32_t, Process> processes_;
  uint32_t available_ = 0;  // processes with available > 0
  uint32_t active_ = 0;     // neither retired nor stopping
  uint32_t extra_ = 0;      // wanted above min_avail
  Throttle throttle_;
  Instant paused_until_{}, last_warning_{};
  bool pause_pending_ = false;
};

}  // namespace postern

#endif
