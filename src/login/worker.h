// What the sessions of one login process share.
#ifndef POSTERN_LOGIN_WORKER_H
#define POSTERN_LOGIN_WORKER_H

#include <functional>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "delivery/conversation.h"
#include "login/auth_client.h"
#include "login/delivery_session.h"
#include "login/relay_session.h"
#include "login/roster.h"
#include "login/session.h"
#include "login/slots.h"
#include "login/state_client.h"
#include "login/view.h"
#include "proxy/backends.h"

namespace postern {

class Worker final : private StateClient::Holder {
 public:
  // `views` and `boot` outlive it. `on_load`: called when available() or retired() changed.
  Worker(Loop& loop, const ChildBoot& boot, Views& views, std::function<void()> on_load);
  ~Worker();

  // Starts accepting from the listeners of `boot`.
  void listen();
  // Takes a connection accepted elsewhere.
  void adopt(Fd fd, const BootListener& listener, const Endpoint& remote);
  void connect_auth(Fd socket, bool trusted_ready) { auth_.connect(std::move(socket), trusted_ready); }
  // To postern-state: a channel of ours, or the socket that one-shot workers share.
  void connect_state(Fd socket) { state_.connect(std::move(socket)); }
  void share_state(int socket) { state_.share(socket); }
  // Called when a session becomes a relay: from then on the orders below may come.
  void on_relay(std::function<void()> callback) { on_relay_ = std::move(callback); }
  // Ends the sessions that state calls by these ids, or all; one of many: some other time within the spread.
  void kick(const std::vector<uint64_t>& ids);
  void kick_all(bool one_of_many);
  // State is new: tells it of all sessions.
  void report_again();
  // Takes nothing new; calls `when_empty` once the last session has ended.
  void drain(std::function<void()> when_empty);
  // All processes of the service are full: for this long, a new client takes the place of the oldest one that has not
  // logged in (MASTER-24).
  void make_room_for(Milliseconds time);
  // Ends all sessions: clients before login are told (IMAP-105), relays closed.
  void shut_down();

  const Slots& slots() const { return slots_; }

  // For sessions.
  Loop& loop() { return loop_; }
  Views& views() { return views_; }
  AuthClient& auth() { return auth_; }
  ProxyWorld proxy_world() { return {loop_, backends_, views_.sources(), pool_}; }
  DeliveryWorld delivery_world() { return {proxy_world(), farewells_, views_.spool_folder()}; }
  char* buffer() { return pool_.buffer(); }
  uint32_t pid() const { return pid_; }
  // The session's login was accepted by a backend: from now on it is a relay, which state hears of as `told`.
  void start_relay(std::unique_ptr<RelaySession> session, SessionStarted told, std::string_view to_back,
                   std::string_view to_front);
  StateClient& state() { return state_; }
  // Called by a session that has ended, from any depth: it is destroyed at the end of this turn.
  void bury(Session& session);
  void bury(DeliverySession& session);
  void bury(RelaySession& session);

 private:
  // StateClient::Holder
  std::vector<std::pair<uint64_t, uint32_t>> idle_of(const std::vector<uint64_t>& ids) override;
  void close_idle(const std::vector<uint64_t>& ids, PlaceAnswer why) override;

  struct Door {
    Worker* worker = nullptr;
    const BootListener* listener = nullptr;
    Watch watch;
  };
  void accept_some(Door& door);
  bool has_room();
  Session* most_expendable();
  void sweep_soon();
  void ended();
  void update_doors();

  Loop& loop_;
  const ChildBoot& boot_;
  Views& views_;
  std::function<void()> on_load_;
  AuthClient auth_;
  StateClient state_;
  std::function<void()> on_relay_;
  RelayPool pool_;
  const uint32_t pid_;
  Backends backends_;
  Slots slots_;
  std::vector<std::unique_ptr<Door>> doors_;
  Farewells farewells_;
  Roster<Session> sessions_;
  Roster<DeliverySession> deliveries_;
  Roster<RelaySession> relays_;
  std::unordered_map<uint64_t, RelaySession*> limited_;  // those with a place, by its number
  std::vector<std::unique_ptr<Session>> dead_sessions_;
  std::vector<std::unique_ptr<DeliverySession>> dead_deliveries_;
  std::vector<std::unique_ptr<RelaySession>> dead_relays_;
  bool sweep_pending_ = false;
  bool draining_ = false;
  Instant crowded_until_{};
  std::function<void()> when_empty_;
};

}  // namespace postern

#endif
