// What AuthService keeps of a login process and of a request. For its own files only.
#ifndef POSTERN_AUTH_SERVICE_ENTRY_H
#define POSTERN_AUTH_SERVICE_ENTRY_H

#include "auth/service.h"

namespace postern {

struct AuthService::Peer {
  AuthService& service;
  uint64_t serial;
  uint32_t pid;
  std::unique_ptr<Channel> channel{};
  std::unordered_map<uint64_t, uint64_t> requests{};  // the peer's id -> our serial
  bool gone = false;

  void on(const AuthStart& message) { service.start(*this, message); }
  void on(const UserLookup& message, std::span<Fd> descriptors) { service.look_up(*this, message, descriptors); }
  void on(const AuthContinue& message) { service.resume(*this, message); }
  void on(const AuthCancel& message) { service.cancel(*this, message); }
};

struct AuthService::Entry {
  uint64_t serial = 0;
  std::unique_ptr<AuthRequest> request;
  Peer* peer = nullptr;                 // null: a trial
  std::function<void(Finished)> tried;  // a trial's end
  Fd message;                           // to be delivered
  ReplyTime when{};                     // what is held waits for its turn, then for this
  bool awaits_client = false;           // a challenge went out
  std::variant<std::monostate, NotBegun, InTarpit, AuthChallenge, AuthReply> held;  // waits for its time
  std::optional<StartMail> mail;  // goes to the master when the reply is due

  bool replied() const { return std::holds_alternative<AuthReply>(held); }
};

template <class Next>
void AuthService::go_on(uint64_t serial, Next&& next) {
  Entry* entry = find(serial);
  if (entry == nullptr || entry->replied()) return;
  perform(serial, next(*entry->request));
}

}  // namespace postern

#endif
