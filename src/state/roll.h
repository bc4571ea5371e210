// Who is logged in, and what posternctl may ask of that. Pure.
#ifndef POSTERN_STATE_ROLL_H
#define POSTERN_STATE_ROLL_H

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/packed_texts.h"
#include "base/result.h"
#include "ipc/admin.h"
#include "ipc/session_messages.h"
#include "state/places.h"

namespace postern {

// Of ten million sessions if need be: what was reported stays in its short form.
class RollEntry {
 public:
  RollEntry() = default;
  RollEntry(uint32_t reporter, const SessionStarted& session);
  SessionStarted session() const;

  uint32_t pid = 0;
  bool kicked = false;    // it was told to end
  bool reserved = false;  // a place only: the session is still to come
  bool leaving = false;   // it was told to make room for another

 private:
  PackedTexts<1> report_;
};

// ADM-1: masks of users are alternatives; user, network and backend must all match.
struct SessionFilter {
  std::vector<std::string> users;
  std::optional<Network> network;
  std::optional<IpAddress> backend;
  bool proxied = false;

  bool matches(const SessionStarted& session) const;
};
// The error says which member is wrong.
Result<SessionFilter> filter_from(const AdminRequest& request);

// Text of a report that is longer than any honest one, or an owner with too many sessions: refused.
inline constexpr size_t kMaxReportText = 1024;
inline constexpr size_t kMaxSessionsPerOwner = 200000;

class Roll {
 public:
  // False: refused, the owner breaks the rules. A session that is there already is replaced.
  bool add(SessionKey key, uint32_t pid, SessionStarted session);
  // A place for a session that is to come; each() passes over it. False as above.
  bool reserve(SessionKey key, uint32_t pid, const ReserveSession& wish);
  void remove(SessionKey key);
  // All of an owner's: he has gone.
  void forget(uint64_t owner);
  size_t size() const { return sessions_.size(); }
  // Of all proxied sessions and reserved places. Made at the first call: without limits nobody pays for it.
  const Places& places();
  // Whether it may be told to make room; it was.
  bool can_leave(SessionKey key) const;
  void set_leaving(SessionKey key);

  // Calls visit(key, entry) for each match behind `after`, in the order of keys, until it returns false.
  template <class Visit>
  void each(const SessionFilter& filter, std::optional<SessionKey> after, Visit visit) {
    for (auto at = after ? sessions_.upper_bound(*after) : sessions_.begin(); at != sessions_.end(); ++at)
      if (!at->second.reserved && filter.matches(at->second.session()) && !visit(at->first, at->second)) return;
  }

 private:
  void place(SessionKey key, const RollEntry& entry);
  void unplace(SessionKey key, const RollEntry& entry);

  std::map<SessionKey, RollEntry> sessions_;
  std::optional<Places> places_;
  std::map<uint64_t, size_t> counts_;
};

// Kicks of the last minutes: they hold for logins that were under way, too, which report only now.
class KickMemory {
 public:
  // Times are CLOCK_MONOTONIC in milliseconds.
  void add(SessionFilter filter, uint64_t now);
  // Whether `session` was on its way to a backend when a kick that matches it came.
  bool applies(const SessionStarted& session, uint64_t now);

  static constexpr size_t kMost = 64;
  static constexpr uint64_t kMilliseconds = 5 * 60 * 1000;  // longer than a login takes

 private:
  struct Kick {
    SessionFilter filter;
    uint64_t when;
  };
  std::deque<Kick> kicks_;
};

}  // namespace postern

#endif
