// What an administrator asks of auth: trials of logins and look-ups, and orders to the cache (posternctl auth).
#ifndef POSTERN_AUTH_ADMIN_DESK_H
#define POSTERN_AUTH_ADMIN_DESK_H

#include <memory>

#include "auth/service.h"
#include "base/fd.h"
#include "event/loop.h"
#include "ipc/channel.h"

namespace postern {

class AdminDesk {
 public:
  // Both outlive it.
  AdminDesk(Loop& loop, AuthService& service) : loop_(loop), service_(service) {}
  ~AdminDesk() { *alive_ = false; }
  AdminDesk(const AdminDesk&) = delete;
  AdminDesk& operator=(const AdminDesk&) = delete;

  // The socket to postern-state; a later one takes the place of the one before.
  void open(Fd socket);
  void on(const AuthQuestion& question);

 private:
  void try_login(const AuthQuestion& question);
  void try_lookup(const AuthQuestion& question);
  void flush_cache(const AuthQuestion& question);
  void show_cache(const AuthQuestion& question);
  void answer(uint64_t id, uint64_t opened, Finished finished);

  Loop& loop_;
  AuthService& service_;
  std::unique_ptr<Channel> state_;
  uint64_t opened_ = 0;  // which socket this is: answers go to the one that asked
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace postern

#endif
