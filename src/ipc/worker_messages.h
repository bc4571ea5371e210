// What auth and its workers tell each other.
#ifndef POSTERN_IPC_WORKER_MESSAGES_H
#define POSTERN_IPC_WORKER_MESSAGES_H

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/secret.h"
#include "ipc/field_list.h"
#include "ipc/message.h"

namespace postern {

struct WorkerLookup {  // run one database for one request
  static constexpr std::string_view kName = "worker.lookup";
  static constexpr Direction kDirection{Role::Auth, Role::AuthWorker};
  uint64_t id = 0;
  bool userdb = false;    // of the userdb list, else of the passdb list
  uint32_t database = 0;  // index in that list of the worker's settings
  // %-variables that the look-up needs, by long name ("user", "passdb:host").
  std::vector<std::pair<std::string, std::string>> variables;
  std::optional<SecretString> password;  // %w, when it needs that, or to be checked
  bool verify = false;                   // the database itself is to check `password`
  auto fields() { return std::tie(id, userdb, database, variables, password, verify); }
};

enum class LookupResult : uint8_t { Found, NotFound, Broken, kCount };

// What a database that checks passwords itself says of one; None: it was not asked, or has a stored one instead.
enum class PasswordCheck : uint8_t { None, Right, Wrong, Disabled, Expired, kCount };

struct WorkerRow {
  static constexpr std::string_view kName = "worker.row";
  static constexpr Direction kDirection{Role::AuthWorker, Role::Auth};
  uint64_t id = 0;
  LookupResult result = LookupResult::Broken;
  std::string why;                // for the log, Broken only
  SecretString password;          // field `password` as stored
  bool has_password = false;      // false: NULL
  bool password_literal = false;  // a '{' in it is no scheme (password_noscheme)
  FieldList row;                  // all other columns that are not NULL
  PasswordCheck check = PasswordCheck::None;
  bool retires = false;  // service_count is used up: takes no more
  auto fields() { return std::tie(id, result, why, password, has_password, password_literal, row, check, retires); }
};

struct WorkerVerify {  // compare a password with a slow hash
  static constexpr std::string_view kName = "worker.verify";
  static constexpr Direction kDirection{Role::Auth, Role::AuthWorker};
  uint64_t id = 0;
  SecretString stored;  // with {SCHEME}
  SecretString password;
  auto fields() { return std::tie(id, stored, password); }
};

enum class VerifyResult : uint8_t { Match, Mismatch, UnknownScheme, Broken, kCount };

struct WorkerVerdict {
  static constexpr std::string_view kName = "worker.verdict";
  static constexpr Direction kDirection{Role::AuthWorker, Role::Auth};
  uint64_t id = 0;
  VerifyResult result = VerifyResult::Broken;
  std::string why;
  bool retires = false;  // as in WorkerRow
  auto fields() { return std::tie(id, result, why, retires); }
};

}  // namespace postern

#endif
