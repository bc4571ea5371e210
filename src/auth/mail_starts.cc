#include "auth/mail_starts.h"

#include <utility>

namespace postern {

void MailStarts::start(StartMail what, Fd message, Done done) {
  what.id = ++last_id_;
  waiting_.emplace(what.id, std::move(done));
  std::vector<Fd> descriptors;
  if (message) descriptors.push_back(std::move(message));
  send_(what, std::move(descriptors));
}

void MailStarts::on(const MailStarted& started, Fd socket) {
  auto found = waiting_.extract(started.id);
  if (!found.empty()) found.mapped()(started, std::move(socket));
}

void MailStarts::fail_all(std::string_view why) {
  for (auto& [id, done] : std::exchange(waiting_, {})) done(MailStarted{id, 0, std::string(why), false}, Fd());
}

}  // namespace postern
