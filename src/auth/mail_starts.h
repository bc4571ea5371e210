// Orders for mail programs on their way to the master, and its answers (DECISIONS section 8).
#ifndef POSTERN_AUTH_MAIL_STARTS_H
#define POSTERN_AUTH_MAIL_STARTS_H

#include <functional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/fd.h"
#include "ipc/mail_messages.h"

namespace postern {

class MailStarts {
 public:
  // `socket` is the program's, when started.pid is not 0.
  using Done = std::function<void(const MailStarted& started, Fd socket)>;
  using Send = std::function<void(const StartMail& order, std::vector<Fd> descriptors)>;
  explicit MailStarts(Send send) : send_(std::move(send)) {}

  // `done` is called once, never before this returns. The master always answers: it gives up on programs itself.
  // `message`: with a delivery.
  void start(StartMail what, Fd message, Done done);
  // An answer; one to nothing asked closes its socket.
  void on(const MailStarted& started, Fd socket);
  // The master has gone: what waits fails.
  void fail_all(std::string_view why);

 private:
  Send send_;
  std::unordered_map<uint64_t, Done> waiting_;
  uint64_t last_id_ = 0;
};

}  // namespace postern

#endif
