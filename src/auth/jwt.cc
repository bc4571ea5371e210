#include "auth/jwt.h"

#include <algorithm>

#include "base/text.h"

namespace postern {

namespace {

using Kind = TokenVerdict::Kind;

// A member that must be a text if it is there; the Error names it.
Status take_text(const TokenClaims& from, std::string_view name, std::string& out) {
  const TokenClaims::Value* value = from.find(name);
  if (value == nullptr) return {};
  if (value->kind != TokenClaims::Kind::Text) return Error("'" + std::string(name) + "' is no text");
  out = value->items[0];
  return {};
}

Result<TokenClaims> json_part(std::string_view part, std::string_view what) {
  const auto text = base64url_decode(part);
  auto members = text ? TokenClaims::parse(*text) : std::nullopt;
  if (!members) return Error(std::string(what) + " is no JSON object in base64url");
  return std::move(*members);
}

Status take_header(const TokenClaims& header, Jwt& out) {
  std::string alg;
  if (const Status status = take_text(header, "alg", alg); !status) return status;
  if (const Status status = take_text(header, "kid", out.kid); !status) return status;
  out.algorithm = find_jwt_algorithm(alg);
  if (out.algorithm == nullptr) return Error("algorithm '" + printable(alg, 20) + "' is not accepted");
  // Extensions that must be understood: none is (RFC 7515 section 4.1.11).
  if (header.find("crit") != nullptr) return Error("'crit' is not supported");
  return {};
}

}  // namespace

Result<Jwt> parse_jwt(std::string_view token) {
  const auto parts = token.size() <= kMaxJwt ? split_fields(token, '.') : std::vector<std::string_view>();
  if (parts.size() != 3) return Error("Not a JWT");
  const auto header = json_part(parts[0], "JWT header");
  if (!header) return Error(header.error());
  Jwt out;
  if (const Status status = take_header(*header, out); !status) return Error("JWT header: " + status.error());
  auto claims = json_part(parts[1], "JWT payload");
  if (!claims) return Error(claims.error());
  if (const Status status = take_text(*claims, "azp", out.azp); !status) return Error("JWT payload: " + status.error());
  const auto signature = base64url_decode(parts[2]);
  if (!signature || signature->empty()) return Error("JWT without a signature");
  out.claims = std::move(*claims);
  out.signature = std::move(*signature);
  out.signed_text = token.substr(0, token.rfind('.'));
  return out;
}

TokenVerdict verify_jwt(const Jwt& token, JwtKeys& keys) {
  const auto found = keys.find(token);
  if (!found) return {Kind::Broken, found.error()};
  if (found->empty())
    return {Kind::Invalid, std::string(token.algorithm->name) + " key '" + printable(token.kid) + "' not found"};
  const auto right = [&](const auto& key) {
    return key->verifies(*token.algorithm, token.signed_text, token.signature);
  };
  if (std::any_of(found->begin(), found->end(), right)) return {};
  return {Kind::Invalid, "JWT signature is not valid"};
}

}  // namespace postern
