// Keys of local validation in files: a key set, or a folder with a key per file (AUTH-25).
#ifndef POSTERN_AUTH_JWT_KEY_STORE_H
#define POSTERN_AUTH_JWT_KEY_STORE_H

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "auth/jwt.h"

namespace postern {

// PREFIX<azp or "default">/<ALG>/<kid or "default">: a secret in base64 for HS*, a public key in PEM for the others, as
// in Dovecot's fs:posix dictionary. `/` and `%` of a name are %2f and %25 there; names that would be a way out of the
// folder have no key. Read at the first look-up and again when the file is another one.
class JwtKeyFolder final : public JwtKeys {
 public:
  explicit JwtKeyFolder(std::string prefix) : prefix_(std::move(prefix)) {}
  Result<Found> find(const Jwt& token) override;

 private:
  struct Kept;
  std::string prefix_;
  std::map<std::string, std::shared_ptr<Kept>> kept_;
};

// A file with a JSON Web Key Set. Keys are chosen by the token's `kid`; a token or a key without one tries what serves.
class JwtKeySet final : public JwtKeys {
 public:
  explicit JwtKeySet(std::string file);
  ~JwtKeySet() override;
  Result<Found> find(const Jwt& token) override;

 private:
  struct Kept;
  std::string file_;
  std::unique_ptr<Kept> kept_;
};

// What the plan names; null when it names none.
std::unique_ptr<JwtKeys> open_jwt_keys(const std::string& jwks_file, const std::string& key_prefix);

// The path of a token's key below the prefix; nothing when its names cannot be a path's.
std::optional<std::string> jwt_key_path(const Jwt& token);

}  // namespace postern

#endif
