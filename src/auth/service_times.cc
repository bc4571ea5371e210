// When attempts begin and replies leave: turns, delays, time-outs (AUTH-40 to AUTH-44).
#include <fmt/core.h>

#include <algorithm>

#include "auth/service_entry.h"
#include "base/log.h"

namespace postern {

namespace {

Milliseconds until(Instant due, Instant now) {
  return due <= now ? Milliseconds(0) : std::chrono::ceil<Milliseconds>(due - now);
}

}  // namespace

// --- turns -------------------------------------------------------------------------

bool AuthService::counts(const Entry& entry) const {
  const AuthSubject& subject = entry.request->subject();
  return settings_.penalty && entry.peer != nullptr && !subject.no_penalty && !subject.remote.ip.is_none();
}

// Before anything is looked at, so that the wait tells nothing (AUTH-41).
void AuthService::begin_in_time(uint64_t serial) {
  Entry& entry = *find(serial);
  entry.held = NotBegun{};
  const auto turn =
      counts(entry) ? attempts_.begins(serial, entry.request->subject().remote.ip, clock_.now()) : Attempts::Turn::Now;
  if (turn == Attempts::Turn::Now) return send_held(serial);
  if (turn == Attempts::Turn::TooMany) return turn_away(serial, entry);
  schedule();
}

void AuthService::turn_away(uint64_t serial, Entry& entry) {
  const std::string address = entry.request->subject().remote.ip.text();
  if (warned_.says(address, clock_.now()))
    log_warning(
        fmt::format("auth_penalty_max_waiting = {}: further logins of {} are turned away until some of those that wait "
                    "had their turn",
                    settings_.penalty_max_waiting, address));
  perform(serial, entry.request->turn_away());
}

// Whether what is held, when it is a verdict, may leave as far as other attempts of the address are concerned.
bool AuthService::has_turn(uint64_t serial, Entry& entry, const ReplyTime& when) {
  const auto* reply = std::get_if<AuthReply>(&entry.held);
  const bool wrong = when.kind == ReplyTime::Kind::AfterFailure;
  if ((reply == nullptr && !wrong) || !counts(entry)) return true;
  const bool right = reply != nullptr && reply->result == AuthResult::Ok;
  const auto verdict = wrong ? Attempts::Verdict::Wrong : right ? Attempts::Verdict::Right : Attempts::Verdict::None;
  entry.when = when;
  const bool now =
      attempts_.ends(serial, verdict, wrong ? entry.request->attempt_mark() : 0, clock_.now()) == Attempts::Turn::Now;
  schedule();
  return now;
}

void AuthService::give_turns() {
  for (const uint64_t serial : attempts_.take_due(clock_.now())) {
    const Entry* entry = find(serial);
    if (entry == nullptr) continue;
    if (std::holds_alternative<NotBegun>(entry->held)) send_held(serial);
    else send_in_time(serial, ReplyTime(entry->when));
  }
  schedule();
}

// --- delays ------------------------------------------------------------------------

void AuthService::send_in_time(uint64_t serial, const ReplyTime& when) {
  const Instant now = clock_.now();
  if (!has_turn(serial, *find(serial), when)) return;
  if (when.kind == ReplyTime::Kind::Now) return send_held(serial);
  if (when.kind == ReplyTime::Kind::AfterFailure) {
    if (settings_.failure_delay.count() == 0) return send_held(serial);
    delays_.add_batched(serial, now + settings_.failure_delay);
  } else if (when.kind == ReplyTime::Kind::AfterInternalFailure) {
    const Milliseconds delay = settings_.internal_failure_delay;
    if (delay.count() == 0) return send_held(serial);
    const auto extra = static_cast<int64_t>(world_.random_below(static_cast<uint64_t>(delay.count() / 2) + 1));
    delays_.add(serial, now + delay + Milliseconds(extra));
  } else {
    // The second that is named has to be over: early is wrong for a user who is being moved, late is not.
    const auto wall = static_cast<int64_t>(clock_.wall_microseconds() / 1000);
    delays_.add(serial, now + Milliseconds(std::max<int64_t>(0, (static_cast<int64_t>(when.until) + 1) * 1000 - wall)));
  }
  schedule();
}

void AuthService::schedule() {
  const auto set = [this](Timer& timer, std::optional<Instant> when, void (*callback)(void*)) {
    if (!when) return timer.stop();
    timer.start(loop_, until(*when, clock_.now()), callback, this);
  };
  set(delay_timer_, delays_.next(), [](void* self) { static_cast<AuthService*>(self)->release_due(); });
  set(turn_timer_, attempts_.next(), [](void* self) { static_cast<AuthService*>(self)->give_turns(); });
}

void AuthService::release_due() {
  for (const uint64_t serial : delays_.take_due(clock_.now(), world_.random_below)) send_held(serial);
  schedule();
}

void AuthService::watch_timeout(uint64_t serial) {
  timeouts_.emplace_back(clock_.now() + settings_.request_timeout, serial);
  while (!timeouts_.empty() && !requests_.contains(timeouts_.front().second)) timeouts_.pop_front();
  if (!timeout_timer_.running() && !timeouts_.empty())
    timeout_timer_.start(
        loop_, until(timeouts_.front().first, clock_.now()),
        [](void* self) { static_cast<AuthService*>(self)->check_timeouts(); }, this);
}

void AuthService::check_timeouts() {
  while (!timeouts_.empty() && timeouts_.front().first <= clock_.now()) {
    const uint64_t serial = timeouts_.front().second;
    timeouts_.pop_front();
    go_on(serial, [](AuthRequest& r) -> AuthStep { return r.give_up("Request timed out"); });
  }
  if (timeouts_.empty()) return;
  timeout_timer_.start(
      loop_, until(timeouts_.front().first, clock_.now()),
      [](void* self) { static_cast<AuthService*>(self)->check_timeouts(); }, this);
}

}  // namespace postern
