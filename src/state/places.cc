#include "state/places.h"

namespace postern {

std::string Places::name_of(std::string_view service, std::string_view user) {
  std::string name(service);
  return name.append(1, '\0').append(user);
}

void Places::add(SessionKey key, const SessionStarted& session) {
  User& user = users_[name_of(session.service, session.user)];
  if (user.by_address[session.remote.ip].insert(key).second) ++user.total;
}

void Places::remove(SessionKey key, const SessionStarted& session) {
  const auto user = users_.find(name_of(session.service, session.user));
  if (user == users_.end()) return;
  const auto keys = user->second.by_address.find(session.remote.ip);
  if (keys == user->second.by_address.end() || keys->second.erase(key) == 0) return;
  if (keys->second.empty()) user->second.by_address.erase(keys);
  if (--user->second.total == 0) users_.erase(user);
}

const Places::User* Places::find(const ReserveSession& who) const {
  const auto user = users_.find(name_of(who.service, who.user));
  return user == users_.end() ? nullptr : &user->second;
}

size_t Places::of_user(const ReserveSession& who) const {
  const User* user = find(who);
  return user == nullptr ? 0 : user->total;
}

size_t Places::of_userip(const ReserveSession& who) const {
  const User* user = find(who);
  if (user == nullptr) return 0;
  const auto keys = user->by_address.find(who.address);
  return keys == user->by_address.end() ? 0 : keys->second.size();
}

PlaceAnswer Places::check(const ReserveSession& who) const {
  if (who.max_user != 0 && of_user(who) >= who.max_user) return PlaceAnswer::UserLimit;
  if (who.max_userip != 0 && of_userip(who) >= who.max_userip) return PlaceAnswer::UserIpLimit;
  return PlaceAnswer::Granted;
}

}  // namespace postern
