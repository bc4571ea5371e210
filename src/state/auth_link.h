// Questions to auth, and who waits for their answers.
#ifndef POSTERN_STATE_AUTH_LINK_H
#define POSTERN_STATE_AUTH_LINK_H

#include <functional>
#include <memory>
#include <string_view>
#include <unordered_map>

#include "base/fd.h"
#include "event/loop.h"
#include "ipc/channel.h"

namespace postern {

class AuthLink {
 public:
  using Done = std::function<void(const AuthAnswer&)>;
  explicit AuthLink(Loop& loop) : loop_(loop) {}
  ~AuthLink() { *alive_ = false; }
  AuthLink(const AuthLink&) = delete;
  AuthLink& operator=(const AuthLink&) = delete;

  // The socket to auth; that of a newer auth takes the place of the one before, whose questions fail.
  void open(Fd socket);
  // `done` is called once, never before this returned: with Unavailable and a reason when auth is not there or goes
  // away.
  void ask(AuthQuestion question, Done done);
  void on(const AuthAnswer& answer);

 private:
  void fail_all(std::string_view why);
  void lost(uint64_t opened);

  Loop& loop_;
  std::unique_ptr<Channel> auth_;
  uint64_t opened_ = 0, last_id_ = 0;
  std::unordered_map<uint64_t, Done> waiting_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace postern

#endif
