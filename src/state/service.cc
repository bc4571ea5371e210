#include "state/service.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/log.h"

namespace postern {

namespace {

// Owners below are pids of one-shot workers.
constexpr uint64_t kFirstLogin = uint64_t{1} << 32;
constexpr size_t kIdsPerMessage = 4000;
constexpr uint32_t kSpreadFrom = 2;  // so many at once are not ended at once
constexpr std::string_view kTooMuch = "too much";

template <class T, class Send>
void in_pieces(const std::vector<T>& all, Send send) {
  for (size_t at = 0; at < all.size(); at += kIdsPerMessage)
    send(std::vector<T>(all.begin() + static_cast<ptrdiff_t>(at),
                        all.begin() + static_cast<ptrdiff_t>(std::min(all.size(), at + kIdsPerMessage))));
}

}  // namespace

StateService::StateService(Loop& loop, uint32_t master, std::function<void(KickWorkers)> kick_workers)
    : loop_(loop), master_(master), kick_workers_(std::move(kick_workers)), next_owner_(kFirstLogin) {}

uint64_t StateService::now() const {
  return static_cast<uint64_t>(std::chrono::duration_cast<Milliseconds>(loop_.now().time_since_epoch()).count());
}

void StateService::add_login(Fd socket, uint32_t pid) { open_login(std::move(socket), pid, 0); }

void StateService::open_login(Fd socket, uint32_t pid, uint32_t one_shot) {
  const uint64_t owner = next_owner_++;
  auto login = std::make_unique<Login>(Login{*this, owner, pid, one_shot});
  Login* raw = login.get();
  Channel::Events events;
  events.packet = [this, raw](std::string_view packet, std::span<Fd> descriptors) {
    on_packet(*raw, packet, descriptors);
  };
  events.lost = [this, owner](std::string_view) { lost(owner); };
  login->channel = std::make_unique<Channel>(loop_, std::move(socket), Role::State, Role::Login, std::move(events));
  logins_.emplace(owner, std::move(login));
}

void StateService::add_reports(Fd socket) {
  reports_.push_back(std::make_unique<ReportReader>(
      loop_, std::move(socket), [this](std::string_view packet, uint32_t pid, std::span<Fd> descriptors) {
        on_report(packet, pid, descriptors);
      }));
}

// Nonsense costs the peer his connection, and us what he had told.
void StateService::on_packet(Login& login, std::string_view packet, std::span<Fd> descriptors) {
  const Status status = dispatch(packet, descriptors, Role::Login, Role::State, login);
  if (status) return;
  complain(login.pid, status.error());
  loop_.defer([this, owner = login.owner] { lost(owner); });
}

void StateService::lost(uint64_t owner) {
  forget(owner);
  auto node = logins_.extract(owner);
  if (!node.empty() && node.mapped()->one_shot != 0)
    if (const auto at = one_shots_.find(node.mapped()->one_shot); at != one_shots_.end() && at->second == owner)
      one_shots_.erase(at);
  if (!node.empty()) loop_.defer([kept = std::shared_ptr<Login>(std::move(node.mapped()))] {});
}

void StateService::ended(SessionKey key) {
  roll_.remove(key);
  reservations_.ended(key);
}

void StateService::forget(uint64_t owner) {
  roll_.forget(owner);
  reservations_.owner_gone(owner);
}

void StateService::on_report(std::string_view packet, uint32_t pid, std::span<Fd> descriptors) {
  Master master{*this};
  Worker worker{*this, pid};
  const Status status = pid == master_ ? dispatch(packet, {}, Role::Master, Role::State, master)
                                       : dispatch(packet, descriptors, Role::Login, Role::State, worker);
  if ((!status || !worker.good) && complained_.says(std::to_string(pid), loop_.now()))
    complain(pid, status ? kTooMuch : status.error());
}

void StateService::complain(uint32_t pid, std::string_view why) const {
  log_error(fmt::format("login process {} broke the rules: {}", pid, why));
}

void StateService::Login::on(const SessionStarted& m) {
  if (!service.roll_.add({owner, m.id}, pid, m)) return broke_the_rules();
  service.kick_late({owner, m.id}, m);
}

void StateService::Login::on(const ReserveSession& m) {
  if (!service.reservations_.ask({owner, m.id}, pid, m, service.loop_.now())) return broke_the_rules();
  service.wait_on();
}

void StateService::Login::broke_the_rules() {
  service.complain(pid, kTooMuch);
  service.loop_.defer([s = &service, o = owner] { s->lost(o); });
}

// One process, one session: whatever number it gives.
void StateService::Worker::on(const SessionStarted& m) {
  service.forget(pid);
  good = service.roll_.add({pid, m.id}, pid, m);
  if (good) service.kick_late({pid, m.id}, m);
}

// For questions that its reports cannot ask: limits. Its end is the end of this channel.
void StateService::Worker::on(const WorkerConnected&, std::span<Fd> descriptors) {
  if (descriptors.empty()) return;
  if (const auto former = service.one_shots_.find(pid); former != service.one_shots_.end())
    service.lost(former->second);
  service.one_shots_[pid] = service.next_owner_;
  service.open_login(std::move(descriptors[0]), pid, pid);
}

// --- limits -----------------------------------------------------------------------

void StateService::send(uint64_t owner, const SessionReserved& answer) {
  if (const auto login = logins_.find(owner); login != logins_.end()) login->second->channel->send(answer);
}

bool StateService::send(uint64_t owner, const AskIdle& question) {
  const auto login = logins_.find(owner);
  if (login == logins_.end()) return false;
  login->second->channel->send(question);
  return true;
}

void StateService::send(uint64_t owner, const CloseIdle& order) {
  if (const auto login = logins_.find(owner); login != logins_.end()) login->second->channel->send(order);
}

void StateService::wait_on() {
  if (!reservations_.anybody_waits() || patience_.running()) return;
  patience_.start(
      loop_, Reservations::kPatience / 4,
      [](void* self) {
        auto& service = *static_cast<StateService*>(self);
        service.reservations_.expire(service.loop_.now());
        service.wait_on();
      },
      this);
}

// --- kicks ------------------------------------------------------------------------

// One-shot workers hear it from the master, who spreads many.
void StateService::add_victim(Victims& victims, SessionKey key) const {
  const auto login = logins_.find(key.owner);
  if (login == logins_.end()) victims.workers.push_back(static_cast<uint32_t>(key.owner));
  else if (login->second->one_shot != 0) victims.workers.push_back(login->second->one_shot);
  else victims.of_logins[key.owner].push_back(key.id);
}

void StateService::kick_late(SessionKey key, const SessionStarted& session) {
  if (!kicks_.applies(session, now())) return;
  Victims victims;
  add_victim(victims, key);
  carry_out(victims);
}

uint64_t StateService::kick(SessionFilter filter) {
  Victims victims;
  uint64_t count = 0;
  roll_.each(filter, std::nullopt, [&](const SessionKey& key, RollEntry& entry) {
    if (std::exchange(entry.kicked, true)) return true;
    ++count;
    add_victim(victims, key);
    return true;
  });
  carry_out(victims);
  kicks_.add(std::move(filter), now());
  return count;
}

void StateService::carry_out(const Victims& victims) {
  for (const auto& [owner, ids] : victims.of_logins)
    if (const auto login = logins_.find(owner); login != logins_.end())
      in_pieces(ids, [&](std::vector<uint64_t> some) { login->second->channel->send(KickSessions{std::move(some)}); });
  const bool many = victims.workers.size() >= kSpreadFrom;
  in_pieces(victims.workers, [&](std::vector<uint32_t> some) { kick_workers_({std::move(some), many}); });
}

}  // namespace postern
