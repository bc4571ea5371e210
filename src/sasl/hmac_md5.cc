// EVP has no way to stop in the middle of a digest and go on elsewhere.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "sasl/hmac_md5.h"

#include <openssl/md5.h>

#include <algorithm>

namespace postern {

namespace {

constexpr size_t kBlock = MD5_CBLOCK, kState = 16;

void put_state(const MD5_CTX& from, SecretString& out) {
  for (const MD5_LONG word : {from.A, from.B, from.C, from.D})
    for (int shift = 0; shift < 32; shift += 8) {
      const char byte = static_cast<char>(word >> shift);
      out.append({&byte, 1});
    }
}

MD5_LONG word_at(std::string_view bytes) {
  MD5_LONG out = 0;
  for (size_t i = 4; i-- > 0;) out = out << 8 | static_cast<unsigned char>(bytes[i]);
  return out;
}

// One block has been taken in.
MD5_CTX take_state(std::string_view bytes) {
  MD5_CTX out{};
  MD5_Init(&out);
  out.A = word_at(bytes.substr(0, 4));
  out.B = word_at(bytes.substr(4, 4));
  out.C = word_at(bytes.substr(8, 4));
  out.D = word_at(bytes.substr(12, 4));
  out.Nl = kBlock * 8;
  return out;
}

std::string finish(MD5_CTX& context, std::string_view text) {
  unsigned char made[kState];
  MD5_Update(&context, text.data(), text.size());
  MD5_Final(made, &context);
  secure_zero(&context, sizeof context);
  return {reinterpret_cast<char*>(made), sizeof made};
}

}  // namespace

SecretString hmac_md5_states(std::string_view password) {
  unsigned char key[kBlock] = {};
  if (password.size() > kBlock) MD5(reinterpret_cast<const unsigned char*>(password.data()), password.size(), key);
  else std::copy(password.begin(), password.end(), key);
  SecretString out;
  for (const unsigned char pad : {0x5c, 0x36}) {
    unsigned char block[kBlock];
    std::transform(key, key + kBlock, block, [pad](unsigned char c) { return c ^ pad; });
    MD5_CTX context;
    if (MD5_Init(&context) != 1) return {};
    MD5_Update(&context, block, sizeof block);
    put_state(context, out);
    secure_zero(block, sizeof block);
    secure_zero(&context, sizeof context);
  }
  secure_zero(key, sizeof key);
  return out;
}

std::string hmac_md5(std::string_view states, std::string_view text) {
  if (states.size() != kHmacMd5StatesSize) return {};
  MD5_CTX inner = take_state(states.substr(kState)), outer = take_state(states.substr(0, kState));
  return finish(outer, finish(inner, text));
}

}  // namespace postern
