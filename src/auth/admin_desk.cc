#include "auth/admin_desk.h"

#include <fmt/core.h>

#include <utility>

#include "base/check.h"
#include "base/log.h"

namespace postern {

namespace {

using Purpose = AuthRequest::Purpose;

// AuthStart for PLAIN, whatever is offered to clients.
AuthStart plain_login(const AuthQuestion& question) {
  AuthStart start;
  start.mechanism = "PLAIN";
  start.initial.emplace(std::string_view("\0", 1));
  start.initial->append(question.user);
  start.initial->append(std::string_view("\0", 1));
  start.initial->append(question.password.reveal());
  start.subject = question.subject;
  return start;
}

}  // namespace

void AdminDesk::open(Fd socket) {
  ++opened_;
  Channel::Events events;
  events.packet = [this](std::string_view packet, std::span<Fd> fds) {
    const Status status = dispatch(packet, fds, Role::State, Role::Auth, *this);
    if (!status) fatal(kExitSoftware, "bad message from state: " + status.error());
  };
  events.lost = [this, opened = opened_](std::string_view) {
    loop_.defer([this, alive = alive_, opened] {
      if (*alive && opened == opened_) state_.reset();
    });
  };
  state_ = std::make_unique<Channel>(loop_, std::move(socket), Role::Auth, Role::State, std::move(events));
}

void AdminDesk::on(const AuthQuestion& question) {
  using Run = void (AdminDesk::*)(const AuthQuestion&);
  constexpr Run kRuns[] = {&AdminDesk::try_login, &AdminDesk::try_login, &AdminDesk::try_lookup,
                           &AdminDesk::flush_cache, &AdminDesk::show_cache};
  static_assert(std::size(kRuns) == static_cast<size_t>(AuthOrder::kCount));
  (this->*kRuns[static_cast<size_t>(question.order)])(question);
}

void AdminDesk::try_login(const AuthQuestion& question) {
  const Purpose purpose = question.order == AuthOrder::Login ? Purpose::TestAll : Purpose::Test;
  service_.try_out(std::make_unique<AuthRequest>(service_.settings(), service_.world(), plain_login(question), purpose),
                   [this, alive = alive_, id = question.id, opened = opened_](Finished f) {
                     if (*alive) answer(id, opened, std::move(f));
                   });
}

void AdminDesk::try_lookup(const AuthQuestion& question) {
  UserLookup lookup;
  lookup.user = question.user;
  lookup.subject = question.subject;
  service_.try_out(
      std::make_unique<AuthRequest>(service_.settings(), service_.world(), std::move(lookup), Purpose::Test),
      [this, alive = alive_, id = question.id, opened = opened_](Finished f) {
        if (*alive) answer(id, opened, std::move(f));
      });
}

void AdminDesk::answer(uint64_t id, uint64_t opened, Finished finished) {
  if (state_ == nullptr || opened != opened_) return;
  AuthAnswer out;
  out.id = id;
  out.result = finished.reply.result;
  out.user = std::move(finished.reply.user);
  out.reason = std::move(finished.reply.reason);
  out.passdb = std::move(finished.reply.extra);
  out.userdb = std::move(finished.userdb);
  state_->send(out);
}

void AdminDesk::flush_cache(const AuthQuestion& question) {
  AuthAnswer out;
  out.id = question.id;
  out.result = AuthResult::Ok;
  out.count = service_.flush_cache(question.masks);
  log_info(fmt::format("{} cache entries flushed by admin", out.count));
  state_->send(out);
}

void AdminDesk::show_cache(const AuthQuestion& question) {
  const CacheStatus status = service_.cache_status();
  AuthAnswer out;
  out.id = question.id;
  out.result = AuthResult::Ok;
  const std::pair<const char*, uint64_t> rows[] = {
      {"size", status.size},   {"used", status.used},       {"entries", status.entries},
      {"hits", status.hits},   {"misses", status.misses},   {"rechecks", status.rechecks},
      {"stale", status.stale}, {"evicted", status.evicted},
  };
  for (const auto& [name, value] : rows) out.passdb.emplace_back(name, std::to_string(value));
  out.count = status.entries;
  state_->send(out);
}

}  // namespace postern
