// What clients and authorization servers write: tokens, key sets, answers.
#include <algorithm>
#include <memory>
#include <string>

#include "auth/jwt.h"
#include "auth/jwt_key_store.h"
#include "auth/oauth2_claims.h"
#include "auth/oauth2_http.h"
#include "fuzz/expect.h"

using namespace postern;
using fuzz::expect;

namespace {

// Keys of each kind that no input was signed with.
class Strangers final : public JwtKeys {
 public:
  Strangers() {
    auto secret = JwtKey::from_secret(SecretString(std::string(64, '\x9d')));
    keys_.push_back(std::make_shared<const JwtKey>(std::move(*secret)));
    const auto x = base64url_decode("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"),
               y = base64url_decode("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
    auto curve = JwtKey::from_ec("P-256", *x, *y);
    keys_.push_back(std::make_shared<const JwtKey>(std::move(*curve)));
  }
  Result<Found> find(const Jwt&) override { return keys_; }

 private:
  Found keys_;
};

const Oauth2Plan& plan() {
  static const Oauth2Plan made = [] {
    Oauth2Plan out;
    out.scopes = {"mail"};
    out.issuers = {"https://id.example.org"};
    out.client_id = "mail";
    out.username_format = *Template::compile("%Lu");
    return out;
  }();
  return made;
}

void tokens(std::string_view text) {
  const auto token = parse_jwt(text);
  if (!token)
    return expect(!token.error().empty() && token.error().find('\n') == std::string::npos, "an error is one line");
  expect(text.size() <= kMaxJwt && token->algorithm != nullptr && !token->signature.empty(), "a token is signed");
  Strangers strangers;
  expect(verify_jwt(*token, strangers).kind != TokenVerdict::Kind::Right, "nobody else's signature counts");
  const auto path = jwt_key_path(*token);
  expect(!path || (path->find("/../") == std::string::npos && !path->starts_with("../") && !path->ends_with("/..") &&
                   std::count(path->begin(), path->end(), '/') == 2),
         "a key's path stays in its folder");
}

void key_sets(std::string_view text) {
  const auto set = parse_jwks(text);
  if (!set) return expect(!set.error().empty(), "an error says why");
  expect(set->size() <= kMaxJwks, "a set has a limit");
  for (const Jwk& jwk : *set)
    expect(!(jwk.key.serves(*find_jwt_algorithm("HS256")) && jwk.key.serves(*find_jwt_algorithm("RS256"))),
           "a key has one kind");
}

void answers(std::string_view text) {
  const auto claims = TokenClaims::parse(text);
  HttpAnswer answer;
  answer.body = text;
  for (const int status : {200, 400, 401, 500}) {
    answer.status = status;
    const auto read = read_answer(answer, RefusalMeans::Token, "x");
    expect(status == 200 || std::holds_alternative<TokenVerdict>(read), "no claims in a refusal");
  }
  if (!claims) return;
  for (const ClaimsFrom from : {ClaimsFrom::Server, ClaimsFrom::Jwt}) {
    const TokenVerdict verdict = check_claims(*claims, plan(), "joe", from, 1'700'000'000);
    if (verdict.kind != TokenVerdict::Kind::Right) {
      expect(!verdict.why.empty() && verdict.why.find('\n') == std::string::npos, "a refusal has a reason of one line");
      continue;
    }
    const auto granted = claims->words(claims->find("scope") != nullptr ? "scope" : "aud");
    expect(std::find(granted.begin(), granted.end(), "mail") != granted.end(), "no login without the scope");
    expect(from == ClaimsFrom::Server || claims->time("exp").seconds >= 1'699'999'940, "no login with an old token");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto part : {tokens, key_sets, answers}) part(text);
  return 0;
}
