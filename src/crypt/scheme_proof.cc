// What mechanisms can check a proof with, without the password: SCRAM, CRAM-MD5, DIGEST-MD5.
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/base64.h"
#include "base/secret.h"
#include "base/text.h"
#include "crypt/scheme.h"
#include "sasl/hmac_md5.h"
#include "sasl/scram_verifier.h"

namespace postern {

namespace {

struct ScramKeys {
  std::string stored, server;  // empty: the library refused
};

const unsigned char* bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

// RFC 5802 section 3: StoredKey is the hash of the client's key. SASLprep is left out: it changes no ASCII password.
ScramKeys scram_keys(DigestKind kind, std::string_view password, std::string_view salt, uint32_t iterations) {
  const EVP_MD* hash = kind == DigestKind::Sha1 ? EVP_sha1() : EVP_sha256();
  unsigned char salted[EVP_MAX_MD_SIZE], key[EVP_MAX_MD_SIZE];
  const int size = static_cast<int>(digest_size(kind));
  unsigned made = 0;
  ScramKeys out;
  if (PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), bytes(salt), static_cast<int>(salt.size()),
                        static_cast<int>(iterations), hash, size, salted) == 1) {
    if (HMAC(hash, salted, size, bytes("Client Key"), 10, key, &made) != nullptr)
      out.stored = digest(kind, {reinterpret_cast<char*>(key), made});
    if (HMAC(hash, salted, size, bytes("Server Key"), 10, key, &made) != nullptr)
      out.server.assign(reinterpret_cast<char*>(key), made);
  }
  secure_zero(salted, sizeof salted);
  secure_zero(key, sizeof key);
  return out;
}

}  // namespace

Verification verify_scram(const Scheme& scheme, std::string_view data, const PasswordInput& input) {
  const auto verifier = ScramVerifier::parse(data);
  if (!verifier) return broken("not iterations,salt,key,key");
  const std::string salt = *base64_decode(verifier->salt), expected = *base64_decode(verifier->stored_key);
  const ScramKeys made = scram_keys(scheme.digest, input.password, salt, verifier->iterations);
  return made.stored.empty() ? broken("PBKDF2 failed") : match_if(equal_constant_time(made.stored, expected));
}

// RFC 7677 section 4: at least 4096.
Result<std::string> make_scram(const Scheme& scheme, const PasswordInput& input) {
  const uint32_t iterations = rounds_within(input.rounds, 4096, 4096, 10'000'000);
  const std::string salt = random_bytes(16);
  const ScramKeys made = scram_keys(scheme.digest, input.password, salt, iterations);
  if (salt.empty() || made.stored.empty() || made.server.empty()) return Error("PBKDF2 failed");
  return std::to_string(iterations) + ',' + base64_encode(salt) + ',' + base64_encode(made.stored) + ',' +
         base64_encode(made.server);
}

Result<std::string> make_cram_md5(const Scheme&, const PasswordInput& input) {
  const SecretString made = hmac_md5_states(input.password);
  if (made.empty()) return Error("digest not available");
  return std::string(made.reveal());
}

// RFC 2831 section 2.1.2.1: user:realm:password; the realm is what follows the last @ of the name.
Result<std::string> make_digest_md5(const Scheme&, const PasswordInput& input) {
  if (input.user.empty()) return Error("a user name is needed");
  const size_t at = input.user.rfind('@');
  const std::string_view realm = at == std::string_view::npos ? std::string_view() : input.user.substr(at + 1);
  std::string made =
      digest(DigestKind::Md5, std::string(input.user.substr(0, at)) + ':' + std::string(realm) + ':', input.password);
  if (made.empty()) return Error("digest not available");
  return made;
}

}  // namespace postern
