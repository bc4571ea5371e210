// Users in Redis: what a block says, and rows from replies (AUTH-22; postern-passdb(5) has the schema). Pure; the
// asking is in db_redis.cc.
#ifndef POSTERN_AUTH_DB_REDIS_PLAN_H
#define POSTERN_AUTH_DB_REDIS_PLAN_H

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/db.h"
#include "base/clock.h"
#include "net/redis_protocol.h"
#include "net/redis_uri.h"

namespace postern {

// How one user's record is kept: the fields of a hash, or a string that holds a JSON object.
struct RedisFormat {
  std::string_view name;     // redis_format
  std::string_view command;  // its only argument is the key
  DbRow (*row)(const RedisReply& reply, DbKind kind);
};

struct RedisPlan {
  std::vector<RedisServer> servers;
  Template key;
  const RedisFormat* format = nullptr;
  std::string default_scheme = "CRYPT";
  Milliseconds connect_timeout{5'000}, timeout{5'000};
  size_t max_commands = 1'000;

  static Result<RedisPlan> from(const DatabaseSettings& settings);
  // The user's key; nothing when it would be longer than any key is. Whatever the values have in them, it is one
  // argument.
  std::optional<std::string> key_for(const Variables& variables) const;
};

// A missing key is an unknown user; what is no record is Broken, and `why` has none of its values.
DbRow redis_hash_row(const RedisReply& reply, DbKind kind);
DbRow redis_json_row(const RedisReply& reply, DbKind kind);
// The text of such a JSON object.
DbRow json_row(std::string_view text, DbKind kind);

Result<DriverTraits> describe_redis(const DatabaseSettings& settings, DbKind kind);

}  // namespace postern

#endif
