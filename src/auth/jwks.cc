// JSON Web Key Sets (RFC 7517, RFC 7518 section 6).
#include <nlohmann/json.hpp>

#include "auth/jwt_key.h"
#include "base/base64.h"
#include "base/text.h"

namespace postern {

namespace {

using Json = nlohmann::json;

std::string text_of(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// A member in base64url; empty when it is missing or is none.
std::string number_of(const Json& object, const char* name) {
  return base64url_decode(text_of(object, name)).value_or("");
}

Result<JwtKey> make_rsa(const Json& object) { return JwtKey::from_rsa(number_of(object, "n"), number_of(object, "e")); }
Result<JwtKey> make_ec(const Json& object) {
  return JwtKey::from_ec(text_of(object, "crv"), number_of(object, "x"), number_of(object, "y"));
}
Result<JwtKey> make_secret(const Json& object) {
  std::string secret = number_of(object, "k");
  SecretString kept(secret);
  secure_zero(secret.data(), secret.size());
  return JwtKey::from_secret(std::move(kept));
}

struct KindRow {
  std::string_view kty;
  Result<JwtKey> (*make)(const Json& object);
};
constexpr KindRow kKinds[] = {{"RSA", make_rsa}, {"EC", make_ec}, {"oct", make_secret}};

Result<JwtKey> (*maker_for(const Json& object))(const Json&) {
  if (!object.is_object() || text_of(object, "use") == "enc") return nullptr;
  const std::string kty = text_of(object, "kty");
  for (const KindRow& row : kKinds)
    if (row.kty == kty) return row.make;
  return nullptr;
}

}  // namespace

Result<std::vector<Jwk>> parse_jwks(std::string_view json) {
  const Json set = Json::parse(json, nullptr, false);
  const auto keys = set.is_object() ? set.find("keys") : set.end();
  if (!set.is_object() || keys == set.end() || !keys->is_array()) return Error("is no JSON Web Key Set");
  if (keys->size() > kMaxJwks) return Error("has more than " + std::to_string(kMaxJwks) + " keys");
  std::vector<Jwk> out;
  for (const Json& object : *keys) {
    const auto make = maker_for(object);
    if (make == nullptr) continue;
    const std::string kid = text_of(object, "kid");
    auto key = make(object);
    if (!key) return Error("key '" + printable(kid) + "' " + key.error());
    out.push_back({kid, text_of(object, "alg"), std::move(*key)});
  }
  return out;
}

std::optional<std::string> base64url_decode(std::string_view text) {
  std::string plain;
  plain.reserve(text.size() + 3);
  for (const char c : text) {
    if (c == '+' || c == '/' || c == '=') return std::nullopt;
    plain += c == '-' ? '+' : c == '_' ? '/' : c;
  }
  plain.append((4 - plain.size() % 4) % 4, '=');
  return base64_decode(plain);
}

}  // namespace postern
