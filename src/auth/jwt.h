// JSON Web Tokens in the compact form with one signature (RFC 7515 section 7.1, RFC 7519, AUTH-25). Pure.
#ifndef POSTERN_AUTH_JWT_H
#define POSTERN_AUTH_JWT_H

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "auth/jwt_key.h"
#include "auth/oauth2_claims.h"

namespace postern {

// Longer ones are refused before anything is decoded. (auth_max_token_size limits what clients can send.)
inline constexpr size_t kMaxJwt = 256 * 1024;

// A token taken apart. Nothing in it is true before verify_jwt() has said so.
struct Jwt {
  const JwtAlgorithm* algorithm = nullptr;
  std::string kid, azp;     // empty: not said
  std::string signed_text;  // the first two parts and the dot between them
  std::string signature;
  TokenClaims claims;
};
// The Error is for the log, without anything of the token but its algorithm.
Result<Jwt> parse_jwt(std::string_view token);

// Where keys come from.
class JwtKeys {
 public:
  using Found = std::vector<std::shared_ptr<const JwtKey>>;
  virtual ~JwtKeys() = default;
  // Candidates for that token: none, one, or those without a name. The Error: keys that should be there cannot be read.
  virtual Result<Found> find(const Jwt& token) = 0;
};

// Whether one of the keys has signed it. To be asked before any claim is looked at (AUTH-25 [OURS]).
TokenVerdict verify_jwt(const Jwt& token, JwtKeys& keys);

}  // namespace postern

#endif
