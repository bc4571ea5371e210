#include "auth/attempts.h"

#include <algorithm>

namespace postern {

Attempts::Turn Attempts::begins(uint64_t ticket, const IpAddress& ip, Instant now) {
  const std::string key = penalty_.key(ip, now);
  Line& line = lines_[key];
  const bool punished = penalty_.delay(ip, now).count() > 0;
  if (punished && line.waiting.size() >= max_waiting_) return Turn::TooMany;
  ++line.attempts;
  attempts_[ticket] = {key, ip, line.failures};
  if (punished) wait(ticket, line, now);
  else arrange(key, line, now);
  return punished ? Turn::Later : Turn::Now;
}

void Attempts::wait(uint64_t ticket, Line& line, Instant now) {
  line.waiting.push_back(ticket);
  arrange(attempts_[ticket].line, line, now);
}

Attempts::Turn Attempts::ends(uint64_t ticket, Verdict verdict, uint64_t mark, Instant now) {
  const auto found = attempts_.find(ticket);
  if (found == attempts_.end()) return Turn::Now;
  Attempt& attempt = found->second;
  Line& line = lines_[attempt.line];
  const bool beside_failure =
      !attempt.has_turn && line.failures != attempt.failures && penalty_.delay(attempt.ip, now).count() > 0;
  if (verdict != Verdict::None && beside_failure) {
    wait(ticket, line, now);
    return Turn::Later;
  }
  count(attempt, line, verdict, mark, now);
  leave(ticket, now);
  return Turn::Now;
}

void Attempts::count(const Attempt& attempt, Line& line, Verdict verdict, uint64_t mark, Instant now) {
  if (verdict == Verdict::Right) penalty_.succeeded(attempt.ip);
  if (verdict == Verdict::Wrong && penalty_.failed(attempt.ip, mark, now)) ++line.failures;
}

void Attempts::forget(uint64_t ticket, Instant now) {
  const auto found = attempts_.find(ticket);
  if (found == attempts_.end()) return;
  leave(ticket, now);
}

void Attempts::leave(uint64_t ticket, Instant now) {
  const std::string key = std::move(attempts_[ticket].line);
  attempts_.erase(ticket);
  Line& line = lines_[key];
  if (line.turn == ticket) line.turn = 0;
  std::erase(line.waiting, ticket);  // who ends before his turn, by a time-out, too
  --line.attempts;
  arrange(key, line, now);
  if (line.attempts == 0) lines_.erase(key);
}

// When the first one's turn comes; behind one who has it now, when the penalty ends.
void Attempts::arrange(const std::string& key, Line& line, Instant now) {
  if (line.waiting.empty()) return set_due(key, line, std::nullopt);
  const IpAddress& ip = attempts_[line.waiting.front()].ip;
  const Instant turn = now + penalty_.delay(ip, now);
  const Instant due = line.turn != 0                 ? penalty_.ends_at(ip, now)
                      : line.due && line.due_is_turn ? std::min(*line.due, turn)
                                                     : turn;
  set_due(key, line, due);
  line.due_is_turn = line.turn == 0;
}

void Attempts::set_due(const std::string& key, Line& line, std::optional<Instant> due) {
  if (line.due == due) return;
  if (line.due) {
    const auto [first, last] = due_.equal_range(*line.due);
    due_.erase(std::find_if(first, last, [&](const auto& entry) { return entry.second == key; }));
  }
  line.due = due;
  if (due) due_.emplace(*due, key);
}

std::vector<uint64_t> Attempts::take_due(Instant now) {
  std::vector<uint64_t> out;
  while (!due_.empty() && due_.begin()->first <= now) {
    const std::string key = due_.begin()->second;
    Line& line = lines_[key];
    set_due(key, line, std::nullopt);
    const bool over = penalty_.delay(attempts_[line.waiting.front()].ip, now).count() == 0;
    const bool first_goes = over || line.turn == 0;
    for (bool go = first_goes; go && !line.waiting.empty(); go = over) {
      const uint64_t ticket = line.waiting.front();
      line.waiting.pop_front();
      Attempt& attempt = attempts_[ticket];
      attempt.has_turn = !over;
      attempt.failures = line.failures;
      if (!over) line.turn = ticket;
      out.push_back(ticket);
    }
    arrange(key, line, now);
  }
  return out;
}

std::optional<Instant> Attempts::next() const {
  if (due_.empty()) return std::nullopt;
  return due_.begin()->first;
}

}  // namespace postern
