#include "state/roll.h"

#include <algorithm>

#include "base/text.h"
#include "ipc/channel.h"

namespace postern {

bool SessionFilter::matches(const SessionStarted& s) const {
  if (proxied && s.backend.ip.is_none()) return false;
  if (backend && s.backend.ip != *backend) return false;
  if (network && !network->contains(s.remote.ip)) return false;
  return users.empty() || std::any_of(users.begin(), users.end(),
                                      [&](const std::string& mask) { return matches_wildcard(s.user, mask); });
}

Result<SessionFilter> filter_from(const AdminRequest& request) {
  SessionFilter filter;
  filter.users = request.users;
  filter.proxied = request.proxied;
  if (!request.network.empty() && !(filter.network = Network::parse(request.network)))
    return Error("network: not an address or network");
  if (!request.backend.empty() && !(filter.backend = IpAddress::parse(request.backend)))
    return Error("backend: not an address");
  return filter;
}

RollEntry::RollEntry(uint32_t reporter, const SessionStarted& session) : pid(reporter) {
  std::string report;
  encode_message(session, report);
  report_.assign({report});
}

SessionStarted RollEntry::session() const {
  auto session = decode_message<SessionStarted>(report_[0]);
  return session ? std::move(*session) : SessionStarted{};
}

bool Roll::add(SessionKey key, uint32_t pid, SessionStarted session) {
  for (const std::string* text : {&session.user, &session.service, &session.session})
    if (text->size() > kMaxReportText) return false;
  size_t& count = counts_[key.owner];
  const auto [at, fresh] = sessions_.try_emplace(key);
  if (fresh && count >= kMaxSessionsPerOwner) {
    sessions_.erase(at);
    return false;
  }
  if (fresh) ++count;
  else unplace(key, at->second);
  at->second = RollEntry(pid, session);
  place(key, at->second);
  return true;
}

bool Roll::reserve(SessionKey key, uint32_t pid, const ReserveSession& wish) {
  SessionStarted session;
  session.user = wish.user;
  session.service = wish.service;
  session.remote.ip = wish.address;
  if (sessions_.contains(key) || !add(key, pid, session)) return false;
  RollEntry& entry = sessions_[key];
  entry.reserved = true;
  place(key, entry);
  return true;
}

const Places& Roll::places() {
  if (!places_) {
    places_.emplace();
    for (const auto& [key, entry] : sessions_) place(key, entry);
  }
  return *places_;
}

void Roll::place(SessionKey key, const RollEntry& entry) {
  if (!places_) return;
  const SessionStarted session = entry.session();
  if (entry.reserved || !session.backend.ip.is_none()) places_->add(key, session);
}

void Roll::unplace(SessionKey key, const RollEntry& entry) {
  if (places_) places_->remove(key, entry.session());
}

bool Roll::can_leave(SessionKey key) const {
  const auto at = sessions_.find(key);
  return at != sessions_.end() && !at->second.reserved && !at->second.leaving;
}

void Roll::set_leaving(SessionKey key) {
  if (const auto at = sessions_.find(key); at != sessions_.end()) at->second.leaving = true;
}

void Roll::remove(SessionKey key) {
  const auto at = sessions_.find(key);
  if (at == sessions_.end()) return;
  unplace(key, at->second);
  sessions_.erase(at);
  const auto count = counts_.find(key.owner);
  if (--count->second == 0) counts_.erase(count);
}

void Roll::forget(uint64_t owner) {
  if (counts_.erase(owner) == 0) return;
  const auto first = sessions_.lower_bound({owner, 0}), last = sessions_.upper_bound({owner, UINT64_MAX});
  for (auto at = first; at != last; ++at) unplace(at->first, at->second);
  sessions_.erase(first, last);
}

void KickMemory::add(SessionFilter filter, uint64_t now) {
  if (kicks_.size() == kMost) kicks_.pop_front();
  kicks_.push_back({std::move(filter), now});
}

bool KickMemory::applies(const SessionStarted& session, uint64_t now) {
  while (!kicks_.empty() && now - kicks_.front().when > kMilliseconds) kicks_.pop_front();
  return std::any_of(kicks_.begin(), kicks_.end(),
                     [&](const Kick& k) { return session.decided <= k.when && k.filter.matches(session); });
}

}  // namespace postern
