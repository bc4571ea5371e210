// Where Redis servers are, as operators write it. Pure.
#ifndef POSTERN_NET_REDIS_URI_H
#define POSTERN_NET_REDIS_URI_H

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"

namespace postern {

struct RedisServer {
  std::string host{};  // name or address; empty: a unix socket
  uint16_t port = 6379;
  std::string path{};       // of the unix socket
  std::string user{};       // empty: the server's default user
  SecretString password{};  // empty: nothing is said before the first command
  uint32_t database = 0;

  // "redis.example.org:6379", "[2001:db8::1]:6379" or the path: for logs.
  std::string text() const;
};

// redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE] and unix://[[USER]:PASSWORD@]/PATH[?db=DATABASE]; user and password
// with %XX for what is special there. Several, separated by blanks or commas, are in the order in which they are tried.
// At least one. The Error has neither user nor password in it.
Result<std::vector<RedisServer>> parse_redis_uris(std::string_view text);

}  // namespace postern

#endif
