#include "master/supervisor.h"

#include <algorithm>

namespace postern {

void Supervisor::forked(uint32_t pid, Instant now) {
  Process& process = processes_[pid];
  process.started = now;
  ++active_;
  set_available(process, limits_.accepts ? limits_.client_limit : 1);  // MASTER-15: until it says otherwise
}

void Supervisor::set_available(Process& process, uint32_t available) {
  if ((process.available > 0) != (available > 0)) available > 0 ? ++available_ : --available_;
  process.available = available;
}

void Supervisor::status(uint32_t pid, uint32_t available, bool retired, Instant now) {
  const auto found = processes_.find(pid);
  if (found == processes_.end()) return;
  Process& process = found->second;
  process.ready = true;
  if (!process.counts()) return;
  if (retired) return leave_active(process, process.retired);
  if (!limits_.accepts) return;
  set_available(process, std::min(available, limits_.client_limit));
  const bool idle = process.available == limits_.client_limit;
  if (idle && !process.idle_since) process.idle_since = now;
  if (!idle) process.idle_since.reset();
}

void Supervisor::leave_active(Process& process, bool& flag) {
  set_available(process, 0);
  process.idle_since.reset();
  flag = true;
  --active_;
}

void Supervisor::stopping(uint32_t pid) {
  const auto found = processes_.find(pid);
  if (found != processes_.end() && found->second.counts()) leave_active(found->second, found->second.stopping);
}

bool Supervisor::ended(uint32_t pid, bool clean, Instant now) {
  const auto found = processes_.find(pid);
  if (found == processes_.end()) return false;
  const Process process = found->second;
  if (process.counts()) leave_active(found->second, found->second.stopping);
  processes_.erase(found);
  extra_ = std::min(extra_, active_);
  if (process.stopping && clean) return false;
  // One that leaves politely before it was up would be started again and again.
  if (clean && process.ready) {
    throttle_.succeeded();
    return false;
  }
  return throttle_.failed(process.ready, has_elder(now), now);
}

void Supervisor::want_more() {
  const uint32_t wanted = limits_.min_avail + extra_;
  if (wanted < limits_.process_limit && available_ >= wanted) ++extra_;
}

bool Supervisor::has_elder(Instant now) const {
  return std::any_of(processes_.begin(), processes_.end(),
                     [&](const auto& entry) { return entry.second.ready && now - entry.second.started >= kElder; });
}

uint32_t Supervisor::forks_wanted(Instant now) const {
  const uint32_t wanted = limits_.min_avail + extra_;
  if (throttle_.active(now) || available_ >= wanted || full()) return 0;
  return std::min({wanted - available_, limits_.process_limit - active_, kPreforkBatch});
}

Supervisor::Listen Supervisor::listen(Instant now) const {
  if (!limits_.accepts || available_ > 0) return Listen::Off;
  if (throttle_.active(now)) return processes_.empty() ? Listen::Discard : Listen::Off;
  return paused(now) ? Listen::Off : Listen::Fork;
}

Supervisor::Waiting Supervisor::connection_waiting(Instant now) {
  if (!full()) return Waiting::ForkOne;
  paused_until_ = now + kFullPause;
  pause_pending_ = true;
  if (last_warning_ != Instant{} && now - last_warning_ < kWarnEvery) return Waiting::Full;
  last_warning_ = now;
  return Waiting::FullWarn;
}

bool Supervisor::take_pause_over(Instant now) {
  if (!pause_pending_ || now < paused_until_) return false;
  pause_pending_ = false;
  return full();
}

std::vector<uint32_t> Supervisor::take_overdue(Instant now) {
  std::vector<uint32_t> overdue;
  for (auto& [pid, process] : processes_) {
    if (process.ready || process.overdue || now - process.started < kReadyWithin) continue;
    process.overdue = true;
    overdue.push_back(pid);
  }
  return overdue;
}

std::vector<uint32_t> Supervisor::take_idle(Instant now) {
  std::vector<uint32_t> idle;
  if (limits_.idle_kill == Milliseconds(0)) return idle;
  uint32_t spare = available_ > limits_.min_avail ? available_ - limits_.min_avail : 0;
  for (auto& [pid, process] : processes_) {
    if (idle.size() >= spare) break;
    if (process.idle_since && now - *process.idle_since >= limits_.idle_kill) idle.push_back(pid);
  }
  for (const uint32_t pid : idle) stopping(pid);
  return idle;
}

std::optional<Instant> Supervisor::next_change(Instant now) const {
  std::optional<Instant> next;
  const auto consider = [&](Instant when) {
    if (when > now && (!next || when < *next)) next = when;
  };
  consider(throttle_.until());
  if (pause_pending_) consider(paused_until_);
  const bool spare = available_ > limits_.min_avail && limits_.idle_kill > Milliseconds(0);
  for (const auto& [pid, process] : processes_) {
    if (!process.ready && !process.overdue) consider(process.started + kReadyWithin);
    if (spare && process.idle_since) consider(*process.idle_since + limits_.idle_kill);
  }
  return next;
}

bool Supervisor::is_ready(uint32_t pid) const {
  const auto found = processes_.find(pid);
  return found != processes_.end() && found->second.ready;
}

}  // namespace postern
