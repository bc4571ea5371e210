// HMAC-MD5 (RFC 2104) from its two inner states, which is what the scheme CRAM-MD5 stores in place of a password
// (AUTH-26).
#ifndef POSTERN_SASL_HMAC_MD5_H
#define POSTERN_SASL_HMAC_MD5_H

#include <string>
#include <string_view>

#include "base/secret.h"

namespace postern {

inline constexpr size_t kHmacMd5StatesSize = 32;

// The states after the outer and the inner key, 16 bytes each, for a password. Empty when the library has no MD5.
SecretString hmac_md5_states(std::string_view password);
// The 16 bytes of HMAC-MD5 over `text`; empty for states of another size.
std::string hmac_md5(std::string_view states, std::string_view text);

}  // namespace postern

#endif
