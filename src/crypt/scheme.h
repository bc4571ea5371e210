// One password scheme: a row of the table in schemes.cc, and the functions its rows are made of.
#ifndef POSTERN_CRYPT_SCHEME_H
#define POSTERN_CRYPT_SCHEME_H

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "crypt/digest.h"
#include "crypt/schemes.h"

namespace postern {

enum class Encoding : uint8_t { None, Hex, Base64 };

struct Scheme;
// `data` is decoded. The password has no NUL.
using Verify = Verification (*)(const Scheme& scheme, std::string_view data, const PasswordInput& input);
// The data, not encoded. The Error says what is missing or not available.
using Make = Result<std::string> (*)(const Scheme& scheme, const PasswordInput& input);

struct Scheme {
  std::string_view name;
  Verify verify;
  Make make;
  Encoding encoding = Encoding::None;  // of data without a suffix
  size_t size = 0;                     // of raw data; 0: it varies
  DigestKind digest = DigestKind::Md5;
  bool slow = false;
  bool weak = false;         // whatever the data
  std::string_view proof{};  // the MechanismInfo::verifier that its data is; empty: none
};

Verification match_if(bool equal);
Verification broken(std::string_view why);
// From the system; empty when it has none.
std::string random_bytes(size_t size);
// Characters of [./0-9A-Za-z], as crypt() has them in salts.
std::string random_salt(size_t size);
// `wanted`, brought between the two; 0 gives `usual`.
uint32_t rounds_within(uint32_t wanted, uint32_t usual, uint32_t least, uint32_t most);

// Without a salt: made again and compared.
Verification verify_made(const Scheme& scheme, std::string_view data, const PasswordInput& input);

// scheme_plain.cc
Result<std::string> make_plain(const Scheme& scheme, const PasswordInput& input);
Verification verify_truncated(const Scheme& scheme, std::string_view data, const PasswordInput& input);
Result<std::string> make_truncated(const Scheme& scheme, const PasswordInput& input);
Result<std::string> make_digest(const Scheme& scheme, const PasswordInput& input);
Verification verify_salted(const Scheme& scheme, std::string_view data, const PasswordInput& input);
Result<std::string> make_salted(const Scheme& scheme, const PasswordInput& input);

// scheme_crypt.cc
Verification verify_crypt(const Scheme& scheme, std::string_view data, const PasswordInput& input);
Verification verify_md5(const Scheme& scheme, std::string_view data, const PasswordInput& input);
Result<std::string> make_des_crypt(const Scheme& scheme, const PasswordInput& input);
Result<std::string> make_md5_crypt(const Scheme& scheme, const PasswordInput& input);
Result<std::string> make_sha256_crypt(const Scheme& scheme, const PasswordInput& input);
Result<std::string> make_sha512_crypt(const Scheme& scheme, const PasswordInput& input);
Result<std::string> make_blowfish(const Scheme& scheme, const PasswordInput& input);
// Whether these data, of any scheme of crypt()'s, are of DES or MD5.
bool is_weak_crypt(std::string_view data);

// scheme_kdf.cc
Verification verify_pbkdf2(const Scheme& scheme, std::string_view data, const PasswordInput& input);
Result<std::string> make_pbkdf2(const Scheme& scheme, const PasswordInput& input);
Verification verify_argon2(const Scheme& scheme, std::string_view data, const PasswordInput& input);
Result<std::string> make_argon2i(const Scheme& scheme, const PasswordInput& input);
Result<std::string> make_argon2id(const Scheme& scheme, const PasswordInput& input);

// scheme_proof.cc
Verification verify_scram(const Scheme& scheme, std::string_view data, const PasswordInput& input);
Result<std::string> make_scram(const Scheme& scheme, const PasswordInput& input);
Result<std::string> make_cram_md5(const Scheme& scheme, const PasswordInput& input);
Result<std::string> make_digest_md5(const Scheme& scheme, const PasswordInput& input);

}  // namespace postern

#endif
