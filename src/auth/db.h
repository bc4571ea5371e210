// Databases of users: one interface, a driver per file (AUTH-15 to AUTH-25).
#ifndef POSTERN_AUTH_DB_H
#define POSTERN_AUTH_DB_H

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "auth/variables.h"
#include "base/result.h"
#include "base/secret.h"
#include "conf/settings.h"
#include "ipc/auth_messages.h"
#include "ipc/worker_messages.h"

namespace postern {

// What a block is asked for: passwords and where users belong, or how they are served here.
enum class DbKind : uint8_t { Passdb, Userdb };

// What a database has about one user.
struct DbRow {
  LookupResult result = LookupResult::Broken;
  std::string why;                            // for the log, no values: what is Broken, or why the check says no
  std::optional<SecretString> password;       // as stored; none: NULL
  bool password_literal = false;              // a '{' in it means nothing (password_noscheme)
  FieldList fields;                           // in the database's order, suffixes included; never password
  PasswordCheck check = PasswordCheck::None;  // what a database that checks passwords itself says of this one
  std::string refusal;  // what a client is told as a challenge before the failure itself (RFC 7628 section 3.2.2)

  static DbRow broken(std::string why) {
    DbRow row;
    row.why = std::move(why);
    return row;
  }
  static DbRow not_found() {
    DbRow row;
    row.result = LookupResult::NotFound;
    return row;
  }
};

// A variable that a look-up needs.
struct VariableUse {
  Variable variable;
  std::string argument;
  bool operator==(const VariableUse&) const = default;
};
// Adds those of `from` that are not in `to` yet.
void add_uses(const Template& from, std::vector<VariableUse>& to);

// What the chain must know of a driver, wherever it runs.
struct DriverTraits {
  std::string default_scheme;
  // Every variable that the answer depends on, those of the driver's own field templates included: what WorkerLookup
  // must carry, and, beside the user, what tells one cached answer from another (AUTH-36).
  std::vector<VariableUse> uses;
  bool prefetch = false;              // no database: the row is what the passdb had as userdb_*
  std::vector<std::string> warnings;  // what is allowed and probably not meant; for `postern -t`
  bool verifies = false;  // is given the client's password and answers with a PasswordCheck; has none to give away
  bool verifies_digests = false;  // and digests of one, with their challenge (Credential)
  // Answers cost something, and may be kept for auth_cache_ttl: `uses` is complete, and they have no end of their own
  // that comes earlier (tokens). No: files and what needs no look-up; pam without cache_key (AUTH-21).
  bool cacheable = false;
};

class Database {
 public:
  virtual ~Database() = default;
  // Never throws. May block in an auth-worker only. `password`: to be checked by a database whose traits say that it
  // verifies; null: only who the user is, his password is known to be right, or there is none.
  virtual DbRow lookup(const Variables& variables, const SecretString* password) = 0;
  // Gives `each` every user's name, in no order. Never throws; may block as lookup() may. The Error: this database
  // cannot, or failed, perhaps after some names.
  virtual Status iterate(const std::function<void(std::string_view user)>& each);
  // Its process should make room for a new one: libraries that leak (AUTH-21).
  virtual bool worn_out() const { return false; }
};

// What a database that verifies is to judge.
struct Credential {
  // The client's password; with a challenge, the digest in hex that answers it; null: nothing.
  const SecretString* secret = nullptr;
  std::string_view challenge{};
};

// What a database that answers later is asked. All of it is good until lookup() returns.
struct AsyncLookup {
  const Variables& variables;
  const AuthSubject& subject;
  Credential shown{};
};

// A database that answers later: it waits for a socket in auth's loop.
class AsyncDatabase {
 public:
  using Done = std::function<void(DbRow)>;
  virtual ~AsyncDatabase() = default;
  // `done` is called once, never before it returned.
  virtual void lookup(const AsyncLookup& what, Done done) = 0;
};

struct Driver {
  std::string_view name;
  // Checks the whole block; the Error names setting and place in it, without the block's own name.
  Result<DriverTraits> (*describe)(const DatabaseSettings& settings, DbKind kind);
  // Null: look-ups block, they run in an auth-worker, which has its own table (worker.cc); or auth has them answered
  // later (async_databases.cc); or there are none.
  Result<std::unique_ptr<Database>> (*open)(const DatabaseSettings& settings, DbKind kind);
};
const Driver* find_driver(std::string_view name, DbKind kind = DbKind::Passdb);

// Field list of a row while it is filled: sorts `password` and `password_noscheme` out; a userdb drops them.
class RowBuilder {
 public:
  explicit RowBuilder(DbKind kind = DbKind::Passdb) : kind_(kind) {}
  // `value` none: NULL.
  void add(std::string_view name, std::optional<std::string_view> value);
  // A second password stays unused and is a note in `why` (AUTH-8).
  DbRow take();
  bool has_password_column() const { return password_seen_; }

 private:
  DbKind kind_;
  DbRow row_;
  bool password_seen_ = false;
};

}  // namespace postern

#endif
