// Stored passwords of the schemes SCRAM-SHA-1 and SCRAM-SHA-256: "iterations,salt,StoredKey,ServerKey", the last three
// in base64 (AUTH-26).
#ifndef POSTERN_SASL_SCRAM_VERIFIER_H
#define POSTERN_SASL_SCRAM_VERIFIER_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace postern {

struct ScramVerifier {
  uint32_t iterations = 0;
  std::string_view salt, stored_key, server_key;  // base64, views into the text

  // Nothing for text that no tool can have made.
  static std::optional<ScramVerifier> parse(std::string_view text);
};

}  // namespace postern

#endif
