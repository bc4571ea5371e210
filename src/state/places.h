// Whose proxied sessions there are, by user and by user and address: what limits are checked against (ANVIL-5,
// ANVIL-7). Pure.
#ifndef POSTERN_STATE_PLACES_H
#define POSTERN_STATE_PLACES_H

#include <compare>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <unordered_map>

#include "base/address.h"
#include "ipc/session_messages.h"

namespace postern {

// A session's place: who reported it, and its number there.
struct SessionKey {
  uint64_t owner = 0, id = 0;
  auto operator<=>(const SessionKey&) const = default;
};

// Every call costs the logarithm of what one user has at most.
class Places {
 public:
  // Of a session that has started, or of one that is to come; to be removed with the same words.
  void add(SessionKey key, const SessionStarted& session);
  void remove(SessionKey key, const SessionStarted& session);

  // Sessions of this user in this service; from this address.
  size_t of_user(const ReserveSession& who) const;
  size_t of_userip(const ReserveSession& who) const;
  // Which limit stands against one more; Granted: none.
  PlaceAnswer check(const ReserveSession& who) const;

  // Calls visit(key, address) for each session of this user until it returns false.
  template <class Visit>
  void each(const ReserveSession& who, Visit visit) const {
    const User* user = find(who);
    if (user == nullptr) return;
    for (const auto& [address, keys] : user->by_address)
      for (const SessionKey& key : keys)
        if (!visit(key, address)) return;
  }

 private:
  struct User {
    size_t total = 0;
    std::map<IpAddress, std::set<SessionKey>> by_address;
  };
  static std::string name_of(std::string_view service, std::string_view user);
  const User* find(const ReserveSession& who) const;

  std::unordered_map<std::string, User> users_;  // by service and name
};

}  // namespace postern

#endif
