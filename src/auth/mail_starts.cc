#include "auth/mail_starts.h"

#include <utility>

namespace postern {

void MailStarts::start(StartMail what, Done done) {
  what.id = ++last_id_;
  waiting_.emplace(what.id, std::move(done));
  send_(what);
}

void MailStarts::on(const MailStarted& started, Fd socket) {
  auto found = waiting_.extract(started.id);
  if (!found.empty()) found.mapped()(started, std::move(socket));
}

void MailStarts::fail_all(std::string_view why) {
  for (auto& [id, done] : std::exchange(waiting_, {})) done(MailStarted{id, 0, std::string(why), false}, Fd());
}

}  // namespace postern
