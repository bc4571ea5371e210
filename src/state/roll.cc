#include "state/roll.h"

#include <algorithm>

#include "base/text.h"
#include "ipc/channel.h"

namespace postern {

bool SessionFilter::matches(const SessionStarted& s) const {
  if (proxied && s.backend.ip.is_none()) return false;
  if (backend && s.backend.ip != *backend) return false;
  if (network && !network->contains(s.remote.ip)) return false;
  return users.empty() || std::any_of(users.begin(), users.end(), [&](const std::string& mask) { return matches_wildcard(s.user, mask); });
}

Result<SessionFilter> filter_from(const AdminRequest& request) {
  SessionFilter filter;
  filter.users = request.users;
  filter.proxied = request.proxied;
  if (!request.network.empty() && !(filter.network = Network::parse(request.network))) return Error("network: not an address or network");
  if (!request.backend.empty() && !(filter.backend = IpAddress::parse(request.backend))) return Error("backend: not an address");
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
  at->second = RollEntry(pid, session);
  return true;
}

void Roll::remove(SessionKey key) {
  if (sessions_.erase(key) == 0) return;
  const auto count = counts_.find(key.owner);
  if (--count->second == 0) counts_.erase(count);
}

void Roll::forget(uint64_t owner) {
  if (counts_.erase(owner) == 0) return;
  sessions_.erase(sessions_.lower_bound({owner, 0}), sessions_.upper_bound({owner, UINT64_MAX}));
}

void KickMemory::add(SessionFilter filter, uint64_t now) {
  if (kicks_.size() == kMost) kicks_.pop_front();
  kicks_.push_back({std::move(filter), now});
}

bool KickMemory::applies(const SessionStarted& session, uint64_t now) {
  while (!kicks_.empty() && now - kicks_.front().when > kMilliseconds) kicks_.pop_front();
  return std::any_of(kicks_.begin(), kicks_.end(), [&](const Kick& k) { return session.decided <= k.when && k.filter.matches(session); });
}

}  // namespace postern
