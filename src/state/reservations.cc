#include "state/reservations.h"

#include <algorithm>
#include <map>
#include <utility>

namespace postern {

namespace {

// How many have to go so that one more is within the limit.
size_t excess(size_t present, uint32_t limit) { return limit == 0 || present < limit ? 0 : present - limit + 1; }

std::map<uint64_t, std::vector<uint64_t>> by_owner(const std::vector<SessionKey>& keys) {
  std::map<uint64_t, std::vector<uint64_t>> out;
  for (const SessionKey& key : keys) out[key.owner].push_back(key.id);
  return out;
}

}  // namespace

std::vector<SessionKey> choose_longest_idle(std::vector<IdleSession> idle, size_t of_user, size_t of_userip) {
  std::sort(idle.begin(), idle.end(), [](const IdleSession& a, const IdleSession& b) {
    return a.seconds != b.seconds ? a.seconds > b.seconds : a.key < b.key;
  });
  const size_t wanted = std::max(of_user, of_userip);
  std::vector<SessionKey> chosen, others;
  for (const IdleSession& s : idle) (s.same_address && chosen.size() < of_userip ? chosen : others).push_back(s.key);
  if (chosen.size() < of_userip || chosen.size() + others.size() < wanted) return {};
  chosen.insert(chosen.end(), others.begin(), others.begin() + static_cast<ptrdiff_t>(wanted - chosen.size()));
  return chosen;
}

bool Reservations::ask(SessionKey who, uint32_t pid, const ReserveSession& wish, Instant now) {
  if (wish.held) return roll_.reserve(who, pid, wish);
  const PlaceAnswer answer = roll_.places().check(wish);
  if (answer == PlaceAnswer::Granted) return grant(who, pid, wish);
  if (!may_wait(wish) || !look_for_room(who, pid, wish, now)) refuse(who, answer);
  return true;
}

bool Reservations::grant(SessionKey who, uint32_t pid, const ReserveSession& wish) {
  if (!roll_.reserve(who, pid, wish)) return false;
  post_.send(who.owner, SessionReserved{who.id, PlaceAnswer::Granted});
  return true;
}

// --- room for one more ------------------------------------------------------------

// One user's clients do not use up the patience that is there for all.
bool Reservations::may_wait(const ReserveSession& wish) const {
  if (!wish.close_idle || waiting_.size() >= kMostWaiting) return false;
  const auto same = std::count_if(waiting_.begin(), waiting_.end(), [&](const Waiting& w) {
    return w.wish.user == wish.user && w.wish.service == wish.service;
  });
  return static_cast<size_t>(same) < kMostOfUser;
}

// False: nobody can be asked.
bool Reservations::look_for_room(SessionKey who, uint32_t pid, const ReserveSession& wish, Instant now) {
  waiting_.push_back({who, pid, wish, now, next_query_++, {}, {}, {}, {}});
  ask_owners(waiting_.back());
  if (!waiting_.back().unheard.empty()) return true;
  waiting_.pop_back();
  return false;
}

void Reservations::ask_owners(Waiting& waiting) {
  std::vector<SessionKey> asked;
  roll_.places().each(waiting.wish, [&](const SessionKey& key, const IpAddress& address) {
    if (!roll_.can_leave(key)) return true;
    asked.push_back(key);
    waiting.asked.emplace(key, address == waiting.wish.address);
    return asked.size() < kMostAsked;
  });
  for (auto& [owner, ids] : by_owner(asked))
    if (post_.send(owner, AskIdle{waiting.query, std::move(ids)})) waiting.unheard.insert(owner);
}

void Reservations::hear(uint64_t owner, const IdleSessions& answer) {
  const auto at =
      std::find_if(waiting_.begin(), waiting_.end(), [&](const Waiting& w) { return w.query == answer.query; });
  if (at == waiting_.end() || at->unheard.erase(owner) == 0) return;  // too late
  for (const auto& [id, seconds] : answer.idle)
    if (const auto asked = at->asked.extract({owner, id}); asked && seconds >= at->wish.min_idle)
      at->idle.push_back({asked.key(), seconds, asked.mapped()});
  if (at->unheard.empty()) heard_all(at);
}

// True: he is no longer among those who wait.
bool Reservations::heard_all(Place place) {
  const PlaceAnswer answer = roll_.places().check(place->wish);
  if (answer != PlaceAnswer::Granted && make_room(*place)) return false;
  settle(place);
  return true;
}

// Some have ended meanwhile, or make room for others.
bool Reservations::make_room(Waiting& waiting) {
  std::erase_if(waiting.idle, [this](const IdleSession& s) { return !roll_.can_leave(s.key); });
  const std::vector<SessionKey> chosen =
      choose_longest_idle(std::move(waiting.idle), excess(roll_.places().of_user(waiting.wish), waiting.wish.max_user),
                          excess(roll_.places().of_userip(waiting.wish), waiting.wish.max_userip));
  const PlaceAnswer why = roll_.places().check(waiting.wish);
  for (const SessionKey& key : chosen) roll_.set_leaving(key);
  waiting.leaving.insert(chosen.begin(), chosen.end());
  for (auto& [owner, ids] : by_owner(chosen)) post_.send(owner, CloseIdle{std::move(ids), why});
  return !chosen.empty();
}

// His time has come, whatever that brings.
void Reservations::settle(Place place) {
  const Waiting waiting = std::move(*place);
  waiting_.erase(place);
  const PlaceAnswer answer = roll_.places().check(waiting.wish);
  if (answer != PlaceAnswer::Granted || !grant(waiting.who, waiting.pid, waiting.wish)) refuse(waiting.who, answer);
}

// --- ends -------------------------------------------------------------------------

void Reservations::ended(SessionKey key) {
  waiting_.remove_if([&](const Waiting& w) { return w.who == key; });
  for (auto at = waiting_.begin(); at != waiting_.end(); ++at)
    if (at->leaving.erase(key) != 0 && at->leaving.empty()) return settle(at);  // nobody else waits for this one
}

void Reservations::owner_gone(uint64_t owner) {
  waiting_.remove_if([&](const Waiting& w) { return w.who.owner == owner; });
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    const auto here = at++;
    if (here->unheard.erase(owner) != 0 && here->unheard.empty() && heard_all(here)) continue;
    const size_t left = std::erase_if(here->leaving, [&](const SessionKey& key) { return key.owner == owner; });
    if (left > 0 && here->leaving.empty()) settle(here);
  }
}

void Reservations::expire(Instant now) {
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    const auto here = at++;
    if (now - here->since >= kPatience) settle(here);
  }
}

}  // namespace postern
