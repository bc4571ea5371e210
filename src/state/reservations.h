// Who gets a place among a user's proxied sessions: granted or refused here and nowhere else, so that no number of
// logins at once, in however many processes, can pass a limit (ANVIL-7). Pure.
#ifndef POSTERN_STATE_RESERVATIONS_H
#define POSTERN_STATE_RESERVATIONS_H

#include <list>
#include <map>
#include <set>
#include <vector>

#include "base/clock.h"
#include "ipc/session_messages.h"
#include "state/roll.h"

namespace postern {

// A session that could be closed to make room.
struct IdleSession {
  SessionKey key;
  uint32_t seconds = 0;       // without traffic
  bool same_address = false;  // as the one who wants in
};
// The longest idle of `idle`: at least `of_userip` from the same address, at least `of_user` in all. None: there are
// not enough.
std::vector<SessionKey> choose_longest_idle(std::vector<IdleSession> idle, size_t of_user, size_t of_userip);

class Reservations {
 public:
  // The way to login processes.
  class Post {
   public:
    virtual void send(uint64_t owner, const SessionReserved& answer) = 0;
    // False: this owner cannot be asked.
    virtual bool send(uint64_t owner, const AskIdle& question) = 0;
    virtual void send(uint64_t owner, const CloseIdle& order) = 0;

   protected:
    ~Post() = default;
  };
  Reservations(Roll& roll, Post& post) : roll_(roll), post_(post) {}

  // Somebody wants a place: he is answered at once, or when idle sessions have made room. False: he breaks the rules.
  bool ask(SessionKey who, uint32_t pid, const ReserveSession& wish, Instant now);
  // What an owner says about his sessions.
  void hear(uint64_t owner, const IdleSessions& answer);
  // `key` has left the roll; `owner` with all that was his.
  void ended(SessionKey key);
  void owner_gone(uint64_t owner);
  // Those who have waited for kPatience are refused. To be called now and then while anybody waits.
  void expire(Instant now);
  bool anybody_waits() const { return !waiting_.empty(); }

  static constexpr size_t kMostWaiting = 256, kMostOfUser = 32;  // who comes then is refused
  static constexpr size_t kMostAsked = 4000;                     // sessions that one of them looks at
  static constexpr Milliseconds kPatience{2000};

 private:
  // Somebody for whom room may be made. First he hears from all owners, then he waits for the ends of those who have to
  // go.
  struct Waiting {
    SessionKey who;
    uint32_t pid;
    ReserveSession wish;
    Instant since;
    uint64_t query;
    std::set<uint64_t> unheard;
    std::map<SessionKey, bool> asked;  // true: from his address
    std::vector<IdleSession> idle;
    std::set<SessionKey> leaving;
  };
  using Place = std::list<Waiting>::iterator;
  bool may_wait(const ReserveSession& wish) const;
  bool look_for_room(SessionKey who, uint32_t pid, const ReserveSession& wish, Instant now);
  void ask_owners(Waiting& waiting);
  bool make_room(Waiting& waiting);
  void settle(Place place);
  bool heard_all(Place place);
  bool grant(SessionKey who, uint32_t pid, const ReserveSession& wish);
  void refuse(SessionKey who, PlaceAnswer why) { post_.send(who.owner, SessionReserved{who.id, why}); }

  Roll& roll_;
  Post& post_;
  std::list<Waiting> waiting_;
  uint64_t next_query_ = 1;
};

}  // namespace postern

#endif
