// Databases of users: one interface, a driver per file (AUTH-15 to AUTH-17).
#ifndef POSTERN_AUTH_DB_H
#define POSTERN_AUTH_DB_H

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
#include "ipc/messages.h"

namespace postern {

// What a block is asked for: passwords and where users belong, or how they are served here.
enum class DbKind : uint8_t { Passdb, Userdb };

// What a database has about one user.
struct DbRow {
  LookupResult result = LookupResult::Broken;
  std::string why;                       // Broken: for the log, no values
  std::optional<SecretString> password;  // as stored; none: NULL
  bool password_literal = false;         // a '{' in it means nothing (password_noscheme)
  FieldList fields;                      // in the database's order, suffixes included; never password

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
  std::vector<VariableUse> uses;  // blocking drivers: what WorkerLookup must carry
  bool prefetch = false;          // no database: the row is what the passdb had as userdb_*
};

class Database {
 public:
  virtual ~Database() = default;
  // Never throws. May block in an auth-worker only.
  virtual DbRow lookup(const Variables& variables) = 0;
};

struct Driver {
  std::string_view name;
  // Checks the whole block; the Error names setting and place in it, without the block's own name.
  Result<DriverTraits> (*describe)(const DatabaseSettings& settings, DbKind kind);
  // Null: look-ups block, they run in an auth-worker, which has its own table (worker.cc), or there are none.
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
