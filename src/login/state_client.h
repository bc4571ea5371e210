// What a login process tells postern-state: who is logged in. Nobody waits for it: a session never does.
#ifndef POSTERN_LOGIN_STATE_CLIENT_H
#define POSTERN_LOGIN_STATE_CLIENT_H

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ipc/channel.h"

namespace postern {

class StateClient {
 public:
  // `connected`: a (new) state process is there, all sessions are to be told again. `kick`: sessions to end.
  StateClient(Loop& loop, std::function<void()> connected, std::function<void(const std::vector<uint64_t>&)> kick);

  // A worker with many sessions: a channel of its own, replaced by the master when state is.
  void connect(Fd socket);
  // A one-shot worker: the socket that it shares with others; not owned. Orders come as signals.
  void share(int socket) { shared_ = socket; }

  // Tells of a session; what is returned is its record, to be kept for again() and ended().
  std::string started(SessionStarted session);
  void again(std::string_view record);
  // `process_lives_on`: it does, for longer than the session; else the end of a one-shot worker says enough.
  void ended(std::string_view record, bool process_lives_on);
  static SessionStarted read(std::string_view record);

  void on(const KickSessions& order) { kick_(order.ids); }

 private:
  void send_shared(std::string packet);
  void retry();

  Loop& loop_;
  std::function<void()> connected_;
  std::function<void(const std::vector<uint64_t>&)> kick_;
  std::unique_ptr<Channel> channel_;
  int shared_ = -1;
  std::vector<std::string> waiting_;  // for room in the shared socket
  Timer retry_;
  uint64_t next_id_ = 1;
};

}  // namespace postern

#endif
