// HMAC-MD5 with the key's part done beforehand: what the scheme CRAM-MD5 stores (RFC 2195, AUTH-26).
#ifndef POSTERN_CRYPT_HMAC_MD5_H
#define POSTERN_CRYPT_HMAC_MD5_H

#include <string>
#include <string_view>

namespace postern {

// 32 bytes: MD5's four words, lowest byte first, after the key's outer block, then after its inner block.
// Empty when the library has no MD5.
std::string hmac_md5_state(std::string_view key);

}  // namespace postern

#endif
