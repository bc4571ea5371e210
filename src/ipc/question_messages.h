// What an administrator asks auth by way of state (posternctl auth ...).
#ifndef POSTERN_IPC_QUESTION_MESSAGES_H
#define POSTERN_IPC_QUESTION_MESSAGES_H

#include <cstdint>
#include <string>
#include <vector>

#include "base/secret.h"
#include "ipc/auth_messages.h"

namespace postern {

enum class AuthOrder : uint8_t { Test, Login, Lookup, FlushCache, CacheStatus, kCount };

struct AuthQuestion {
  static constexpr std::string_view kName = "state.auth_question";
  static constexpr Direction kDirection{Role::State, Role::Auth};
  uint64_t id = 0;
  AuthOrder order = AuthOrder::Test;
  std::string user;                // Test, Login, Lookup
  SecretString password;           // Test, Login
  AuthSubject subject;             // the client to be imagined
  std::vector<std::string> masks;  // FlushCache: of users; none: all
  auto fields() { return std::tie(id, order, user, password, subject, masks); }
};

struct AuthAnswer {
  static constexpr std::string_view kName = "auth.answer";
  static constexpr Direction kDirection{Role::Auth, Role::State};
  uint64_t id = 0;
  AuthResult result = AuthResult::Unavailable;
  std::string user, reason;
  FieldList passdb,
      userdb;          // fields a login process or mail program would get; CacheStatus: what is counted, in passdb
  uint64_t count = 0;  // FlushCache: entries
  auto fields() { return std::tie(id, result, user, reason, passdb, userdb, count); }
};

}  // namespace postern

#endif
