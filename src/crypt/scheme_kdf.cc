// Key derivations as password hashes: PBKDF2 and Argon2.
#include "config.h"

#include <openssl/evp.h>
#ifdef HAVE_SODIUM
#include <sodium.h>
#endif

#include "base/secret.h"
#include "base/text.h"
#include "crypt/scheme.h"

namespace postern {

namespace {

constexpr size_t kPbkdf2Size = 20;
constexpr uint32_t kMaxPbkdf2Rounds = 100'000'000;

// HMAC-SHA1. Empty when the library refuses.
std::string pbkdf2(std::string_view password, std::string_view salt, uint32_t rounds) {
  unsigned char made[kPbkdf2Size];
  const int ok = PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()),
                                   reinterpret_cast<const unsigned char*>(salt.data()), static_cast<int>(salt.size()),
                                   static_cast<int>(rounds), EVP_sha1(), sizeof made, made);
  return ok == 1 ? std::string(reinterpret_cast<char*>(made), sizeof made) : std::string();
}

}  // namespace

// $1$SALT$ROUNDS$HEX
Verification verify_pbkdf2(const Scheme&, std::string_view data, const PasswordInput& input) {
  const auto parts = split_fields(data, '$');
  if (parts.size() != 5 || !parts[0].empty() || parts[1] != "1") return broken("not $1$salt$rounds$hash");
  const auto rounds = parse_number(parts[3], kMaxPbkdf2Rounds);
  const auto expected = hex_decode(parts[4]);
  if (!rounds || *rounds == 0 || !expected || expected->size() != kPbkdf2Size) return broken("bad rounds or hash");
  const std::string made = pbkdf2(input.password, parts[2], static_cast<uint32_t>(*rounds));
  return made.empty() ? broken("PBKDF2 failed") : match_if(equal_constant_time(made, *expected));
}

Result<std::string> make_pbkdf2(const Scheme&, const PasswordInput& input) {
  const uint32_t rounds = rounds_within(input.rounds, 5000, 1, kMaxPbkdf2Rounds);
  const std::string salt = random_salt(16), made = pbkdf2(input.password, salt, rounds);
  if (made.empty() || salt.empty()) return Error("PBKDF2 failed");
  return "$1$" + salt + '$' + std::to_string(rounds) + '$' + hex_encode(made);
}

#ifdef HAVE_SODIUM

namespace {

using ArgonString = int (*)(char* out, const char* password, unsigned long long size, unsigned long long rounds,
                            size_t memory);
constexpr uint32_t kMaxArgonRounds = 1000;

Result<std::string> make_argon2(ArgonString make, uint32_t rounds, size_t memory, std::string_view password) {
  char made[crypto_pwhash_STRBYTES];
  if (::sodium_init() < 0 || make(made, password.data(), password.size(), rounds, memory) != 0)
    return Error("not enough memory for Argon2");
  return std::string(made);
}

}  // namespace

Verification verify_argon2(const Scheme&, std::string_view data, const PasswordInput& input) {
  if (::sodium_init() < 0) return broken("libsodium failed to start");
  if (data.substr(0, 7) != "$argon2" || data.size() >= crypto_pwhash_STRBYTES) return broken("not an Argon2 hash");
  return match_if(crypto_pwhash_str_verify(std::string(data).c_str(), input.password.data(), input.password.size()) ==
                  0);
}

Result<std::string> make_argon2i(const Scheme&, const PasswordInput& input) {
  const uint32_t rounds = rounds_within(input.rounds, crypto_pwhash_argon2i_OPSLIMIT_INTERACTIVE,
                                        crypto_pwhash_argon2i_OPSLIMIT_MIN, kMaxArgonRounds);
  return make_argon2(crypto_pwhash_argon2i_str, rounds, crypto_pwhash_argon2i_MEMLIMIT_INTERACTIVE, input.password);
}

Result<std::string> make_argon2id(const Scheme&, const PasswordInput& input) {
  const uint32_t rounds = rounds_within(input.rounds, crypto_pwhash_argon2id_OPSLIMIT_MODERATE,
                                        crypto_pwhash_argon2id_OPSLIMIT_MIN, kMaxArgonRounds);
  return make_argon2(crypto_pwhash_argon2id_str, rounds, crypto_pwhash_argon2id_MEMLIMIT_INTERACTIVE, input.password);
}

#endif

}  // namespace postern
