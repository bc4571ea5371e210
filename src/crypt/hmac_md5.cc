// The state between two blocks is seen through MD5's own functions only, which OpenSSL 3 calls deprecated.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypt/hmac_md5.h"

#include <openssl/md5.h>

#include "base/secret.h"
#include "crypt/digest.h"

namespace postern {

namespace {

void append_state(std::string& out, const unsigned char (&key)[MD5_CBLOCK], unsigned char pad) {
  unsigned char block[MD5_CBLOCK];
  for (size_t i = 0; i < sizeof block; ++i) block[i] = key[i] ^ pad;
  MD5_CTX context;
  if (MD5_Init(&context) == 1 && MD5_Update(&context, block, sizeof block) == 1)
    for (MD5_LONG word : {context.A, context.B, context.C, context.D})
      for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(word >> shift & 0xff);
  secure_zero(block, sizeof block);
  secure_zero(&context, sizeof context);
}

}  // namespace

std::string hmac_md5_state(std::string_view key) {
  std::string shortened = key.size() > MD5_CBLOCK ? digest(DigestKind::Md5, key) : std::string(key);
  unsigned char block[MD5_CBLOCK] = {};
  shortened.copy(reinterpret_cast<char*>(block), shortened.size());
  secure_zero(shortened.data(), shortened.size());
  std::string out;
  append_state(out, block, 0x5c);
  append_state(out, block, 0x36);
  secure_zero(block, sizeof block);
  return out.size() == 32 ? out : std::string();
}

}  // namespace postern
