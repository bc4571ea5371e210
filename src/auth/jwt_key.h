// Keys that signatures of tokens are checked with, and the algorithms they serve (RFC 7518 section 3, AUTH-25). Pure:
// OpenSSL does the arithmetic.
#ifndef POSTERN_AUTH_JWT_KEY_H
#define POSTERN_AUTH_JWT_KEY_H

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"

struct evp_pkey_st;

namespace postern {

enum class JwtFamily : uint8_t { Hmac, Rsa, RsaPss, Ec };

struct JwtAlgorithm {
  std::string_view name;  // "RS256"
  JwtFamily family;
  std::string_view digest;  // OpenSSL's name
  size_t size;              // Hmac: bytes of the signature; Ec: of each of its two numbers; else unused
  std::string_view curve;   // Ec: OpenSSL's name
};
// Null for "none" and whatever else is not in the table.
const JwtAlgorithm* find_jwt_algorithm(std::string_view name);

// One key. It has a kind, and serves algorithms of that kind only: a public RSA key is never the secret of an HMAC.
class JwtKey {
 public:
  // RFC 7518 sections 3.2 and 3.3: less is refused. More RSA bits than the second would cost seconds per login.
  static constexpr int kMinRsaBits = 2048, kMaxRsaBits = 16384;

  // "-----BEGIN PUBLIC KEY-----". The Error is for the operator.
  static Result<JwtKey> from_pem(std::string_view pem);
  static Result<JwtKey> from_secret(SecretString secret);
  // RFC 7518 sections 6.2 and 6.3; the numbers as bytes, most significant first. `curve`: "P-256", "P-384", "P-521".
  static Result<JwtKey> from_rsa(std::string_view n, std::string_view e);
  static Result<JwtKey> from_ec(std::string_view curve, std::string_view x, std::string_view y);

  // Whether this key is of the algorithm's kind, curve and size.
  bool serves(const JwtAlgorithm& algorithm) const;
  // Whether `signature` is that of `text`. The algorithm is one that the key serves.
  bool verifies(const JwtAlgorithm& algorithm, std::string_view text, std::string_view signature) const;

 private:
  JwtKey() = default;
  static Result<JwtKey> from_public(evp_pkey_st* taken);
  bool verifies_hmac(const JwtAlgorithm& algorithm, std::string_view text, std::string_view signature) const;
  bool verifies_public(const JwtAlgorithm& algorithm, std::string_view text, std::string_view signature) const;

  std::shared_ptr<evp_pkey_st> public_;  // none: `secret_` is the key
  std::string curve_;
  SecretString secret_;
};

// A key as it stands in a set.
struct Jwk {
  std::string kid, alg;  // empty: not said
  JwtKey key;
};

// A JSON Web Key Set (RFC 7517 section 5). Keys of kinds we don't know, and those for encryption, are left out; one of
// a known kind that is no key is an Error, which names it.
inline constexpr size_t kMaxJwks = 256;
Result<std::vector<Jwk>> parse_jwks(std::string_view json);

// base64url without padding (RFC 7515 section 2), strictly: nothing when `text` is anything else.
std::optional<std::string> base64url_decode(std::string_view text);

}  // namespace postern

#endif
