#include "state/auth_link.h"

#include <utility>

#include "base/log.h"
#include "base/text.h"

namespace postern {

void AuthLink::open(Fd socket) {
  fail_all("auth was replaced");
  const uint64_t opened = ++opened_;
  Channel::Events events;
  events.packet = [this, opened](std::string_view packet, std::span<Fd> fds) {
    const Status status = dispatch(packet, fds, Role::Auth, Role::State, *this);
    if (status) return;
    log_error("auth: bad message, closing it: " + printable(status.error()));
    lost(opened);
  };
  events.lost = [this, opened](std::string_view) { lost(opened); };
  auth_ = std::make_unique<Channel>(loop_, std::move(socket), Role::State, Role::Auth, std::move(events));
}

void AuthLink::lost(uint64_t opened) {
  loop_.defer([this, alive = alive_, opened] {
    if (!*alive || opened != opened_) return;
    auth_.reset();
    fail_all("auth went away");
  });
}

void AuthLink::ask(AuthQuestion question, Done done) {
  question.id = ++last_id_;
  waiting_.emplace(question.id, std::move(done));
  if (auth_ != nullptr) return auth_->send(question), void();
  loop_.defer([this, alive = alive_] {
    if (*alive) fail_all("auth is not there");
  });
}

void AuthLink::on(const AuthAnswer& answer) {
  const auto found = waiting_.find(answer.id);
  if (found == waiting_.end()) return;
  const Done done = std::move(found->second);
  waiting_.erase(found);
  done(answer);
}

void AuthLink::fail_all(std::string_view why) {
  AuthAnswer answer;
  answer.reason = why;
  for (auto& [id, done] : std::exchange(waiting_, {})) done(answer);
}

}  // namespace postern
