// Strict base64 (RFC 4648 section 4): no white space, padding required, unused bits must be zero.
#ifndef POSTERN_BASE_BASE64_H
#define POSTERN_BASE_BASE64_H

#include <optional>
#include <string>
#include <string_view>

#include "base/secret.h"

namespace postern {

std::string base64_encode(std::string_view bytes);
// Without padding at the end, for session ids (LOG-5).
std::string base64_encode_unpadded(std::string_view bytes);
// Nothing when `text` is not base64.
std::optional<std::string> base64_decode(std::string_view text);
// The same for secrets: no copy of the clear text is left behind.
std::optional<SecretString> base64_decode_secret(std::string_view text);

}  // namespace postern

#endif
