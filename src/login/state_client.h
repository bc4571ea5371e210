// What a login process tells postern-state: who is logged in. Nobody waits for it: a session does only where a limit of
// proxied sessions is set, and not for long.
#ifndef POSTERN_LOGIN_STATE_CLIENT_H
#define POSTERN_LOGIN_STATE_CLIENT_H

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/rarely.h"
#include "ipc/channel.h"

namespace postern {

class StateClient;

// A place among the proxied sessions of a user, for one that is still to come. Destroying it gives the place back.
class SessionPlace {
 public:
  SessionPlace() = default;
  SessionPlace(StateClient& client, uint64_t id, bool asked) : client_(&client), id_(id), asked_(asked) {}
  SessionPlace(SessionPlace&& other) noexcept { *this = std::move(other); }
  SessionPlace& operator=(SessionPlace&& other) noexcept {
    std::swap(client_, other.client_);
    std::swap(id_, other.id_);
    std::swap(asked_, other.asked_);
    return *this;
  }
  ~SessionPlace();
  // An answer is to come; else nobody is there to be asked, and the place is granted.
  bool was_asked_for() const { return asked_; }
  // The session takes it: the number it starts with; 0 without a place.
  uint64_t take() {
    client_ = nullptr;
    return std::exchange(id_, 0);
  }

 private:
  StateClient* client_ = nullptr;
  uint64_t id_ = 0;
  bool asked_ = false;
};

class StateClient {
 public:
  // Who asked for a place.
  class Waiter {
   public:
    // Once; Granted as well when state has died or says nothing for kPatience (ARCHITECTURE 8).
    virtual void place_answered(PlaceAnswer answer) = 0;

   protected:
    ~Waiter() = default;
  };
  // The sessions that have places.
  class Holder {
   public:
    // Seconds without traffic of those of `ids` that are there.
    virtual std::vector<std::pair<uint64_t, uint32_t>> idle_of(const std::vector<uint64_t>& ids) = 0;
    virtual void close_idle(const std::vector<uint64_t>& ids, PlaceAnswer why) = 0;

   protected:
    ~Holder() = default;
  };
  static constexpr Milliseconds kPatience{5000};

  // `connected`: a (new) state process is there, all sessions are to be told again. `kick`: sessions to end.
  StateClient(Loop& loop, std::function<void()> connected, std::function<void(const std::vector<uint64_t>&)> kick);

  // A worker with many sessions: a channel of its own, replaced by the master when state is.
  void connect(Fd socket);
  // A one-shot worker: the socket that it shares with others; not owned. Orders come as signals.
  void share(int socket) { shared_ = socket; }

  // Asks for a place; `wish.id` and `wish.held` are filled in here. The waiter must outlive what is returned.
  [[nodiscard]] SessionPlace reserve(Waiter& waiter, ReserveSession wish);
  void serve(Holder& holder) { holder_ = &holder; }

  // Tells of a session, with the number of its place or, without one, 0; what is returned is its record, to be kept for
  // again() and ended().
  std::string started(SessionStarted session);
  void again(std::string_view record);
  // A one-shot worker: state is new, what it is told goes by a new channel.
  void forget_channel() {
    if (shared_ >= 0) channel_.reset();
  }
  // `process_lives_on`: it does, for longer than the session; else the end of a one-shot worker says enough.
  void ended(std::string_view record, bool process_lives_on);
  static SessionStarted read(std::string_view record);

  void on(const KickSessions& order) { kick_(order.ids); }
  void on(const SessionReserved& answer);
  void on(const AskIdle& question);
  void on(const CloseIdle& order);

 private:
  friend class SessionPlace;
  struct Reserved {
    ReserveSession wish;
    Waiter* waiter;  // null: answered
    Instant since;
  };
  void take_channel(Fd socket);
  void open_channel();
  void lost();
  void grant_unasked(const std::vector<uint64_t>& ids, std::string_view why);
  void answer(uint64_t id, PlaceAnswer answer);
  void release(uint64_t id);
  void start_ticking();
  void tick();
  void send_shared(std::string packet);
  void retry();

  Loop& loop_;
  std::function<void()> connected_;
  std::function<void(const std::vector<uint64_t>&)> kick_;
  std::unique_ptr<Channel> channel_;
  int shared_ = -1;
  std::vector<std::string> waiting_;  // for room in the shared socket
  Timer retry_;
  Holder* holder_ = nullptr;
  bool has_limits_ = false;                          // somebody has asked for a place
  std::unordered_map<uint64_t, Reserved> reserved_;  // until the session starts
  Timer tick_;
  Rarely warned_{Milliseconds(60'000)};
  uint64_t next_id_ = 1;
};

}  // namespace postern

#endif
