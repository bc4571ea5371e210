// admin.sock: connections of posternctl, their requests and answers.
#ifndef POSTERN_STATE_ADMIN_SERVER_H
#define POSTERN_STATE_ADMIN_SERVER_H

#include <list>
#include <memory>
#include <optional>
#include <string>

#include "base/fd.h"
#include "event/loop.h"
#include "ipc/admin.h"
#include "state/auth_link.h"
#include "state/service.h"

namespace postern {

// Whether the process at the other end of a unix socket may give orders: root, our own user, or a member of the
// socket's group, which is ours (DECISIONS section 4).
bool may_command(int socket);

class AdminServer {
 public:
  // `listener` is not owned; the others outlive it.
  AdminServer(Loop& loop, int listener, StateService& service, AuthLink& auth);
  // Takes no further connection.
  void close();

  static constexpr size_t kMostConnections = 64;
  static constexpr Milliseconds kPatience{30000};  // for a request, and for the client to read

 private:
  class Connection {
   public:
    Connection(AdminServer& server, Fd fd);
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection() { *self_ = nullptr; }

   private:
    // A list of sessions that is being written, one piece after the other.
    struct Listing {
      SessionFilter filter;
      std::optional<SessionKey> at;
      uint64_t count = 0;
    };
    void on_ready(short what);
    void read();
    void process();
    void answer(std::string_view line);
    void answer_who(AdminRequest& request);
    void answer_kick(AdminRequest& request);
    void answer_auth(AdminRequest& request);
    void tell(const AuthAnswer& answer);
    void refuse(int status, std::string why);
    void fill();
    void flush();
    void wait();
    void end();

    friend class AdminServer;
    AdminServer& server_;
    Fd fd_;
    Watch watch_;
    Timer patience_;
    std::string in_, out_;
    std::optional<Listing> listing_;
    bool asks_auth_ = false;  // nothing else is answered until auth has
    bool ended_ = false;
    std::shared_ptr<Connection*> self_;  // whoever answers later looks here; null once we are gone
    std::list<Connection>::iterator place_;

    struct Command {
      std::string_view name;
      void (Connection::*run)(AdminRequest&);
    };
    static const Command kCommands[];
  };
  void accept_some();
  void bury(Connection& connection);

  Loop& loop_;
  int listener_;
  StateService& service_;
  AuthLink& auth_;
  Watch watch_;
  std::list<Connection> connections_, dead_;
};

}  // namespace postern

#endif
