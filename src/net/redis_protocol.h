// Redis' protocol: commands to bytes, bytes to replies (RESP2). This is hiredis' only home.
#ifndef POSTERN_NET_REDIS_PROTOCOL_H
#define POSTERN_NET_REDIS_PROTOCOL_H

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"

namespace postern {

struct RedisReply {
  enum class Kind : uint8_t { Nil, Integer, Text, Status, Error, Array };
  Kind kind = Kind::Nil;
  SecretString text{};  // Text, Status, Error; any bytes, a stored password perhaps
  int64_t integer = 0;
  std::vector<RedisReply> items{};  // Array

  bool is_error() const { return kind == Kind::Error; }
  // The first word of an error ("WRONGTYPE"); what stands behind it may repeat the command.
  std::string_view error_code() const {
    const std::string_view all = text.reveal();
    return is_error() ? all.substr(0, all.find(' ')) : std::string_view();
  }
};

// The bytes of a command: its name and arguments, whatever bytes these are made of.
SecretString redis_command(std::span<const std::string_view> words);

// A server's bytes, in pieces, to replies.
class RedisReader {
 public:
  // `max_reply`: bytes one reply may have.
  explicit RedisReader(size_t max_reply);
  ~RedisReader();
  RedisReader(const RedisReader&) = delete;
  RedisReader& operator=(const RedisReader&) = delete;

  // False: nothing can be made of these bytes, or of those before; the connection is of no more use.
  bool feed(std::string_view bytes);
  // The next complete reply; nothing when there is none yet. The Error: as a false feed().
  Result<std::optional<RedisReply>> next();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace postern

#endif
