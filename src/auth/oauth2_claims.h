// What an authorization server, or a signed token itself, says of a token, and whether that lets its user in (AUTH-24,
// AUTH-25). Pure.
#ifndef POSTERN_AUTH_OAUTH2_CLAIMS_H
#define POSTERN_AUTH_OAUTH2_CLAIMS_H

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/oauth2_plan.h"

namespace postern {

// The members of one JSON object but for nulls. What is within an object is left out; a list keeps its strings, numbers
// and flags.
class TokenClaims {
 public:
  enum class Kind : uint8_t { Text, Number, Flag, List, Other };
  struct Value {
    Kind kind;
    std::vector<std::string> items;  // one; lists: any number; Other: none
  };
  struct Time {
    enum class State : uint8_t { Absent, Malformed, Given } state = State::Absent;
    int64_t seconds = 0;  // since 1970
  };
  static constexpr size_t kMaxMembers = 200, kMaxValue = 16 * 1024;

  // Nothing when `json` is not one object. A text past the limit, or with a NUL or a line break in it, is an Other.
  static std::optional<TokenClaims> parse(std::string_view json);
  // Members that both have keep the value of `later`.
  void merge(TokenClaims later);
  void set(std::string_view name, std::string_view value);

  const Value* find(std::string_view name) const;
  // As one text, a list's items with a blank between them; nothing when absent or Other.
  std::optional<std::string> text(std::string_view name) const;
  // The items of a list, or the words of a text.
  std::vector<std::string> words(std::string_view name) const;
  // A number, or digits in a text.
  Time time(std::string_view name) const;

 private:
  std::map<std::string, Value, std::less<>> members_;
};

// What is thought of a token.
struct TokenVerdict {
  enum class Kind : uint8_t { Right, Invalid, WrongScope, Disabled, Broken, kCount };
  Kind kind = Kind::Right;
  std::string why{};  // for the log; values of the peer's are printable, the token is never in it
};

// Where claims come from: a server that is asked decides itself what it says; a token must say it all.
enum class ClaimsFrom : uint8_t { Server, Jwt };

// `user`: the login's name after username_format. `variables`: for that format, applied to the token's name. `now`:
// seconds since 1970.
TokenVerdict check_claims(const TokenClaims& claims, const Oauth2Plan& plan, const std::string& user, ClaimsFrom from,
                          uint64_t now);
// The same without the user: times, issuer, audience and scopes.
TokenVerdict check_token(const TokenClaims& claims, const Oauth2Plan& plan, ClaimsFrom from, uint64_t now);

// What a client is told in a challenge (RFC 7628 section 3.2.2; XOAUTH2: as Google wrote it down). Empty for verdicts
// that are told otherwise.
std::string token_refusal(const Oauth2Plan& plan, TokenVerdict::Kind kind, std::string_view mechanism);

// Variables of a request that are still wanted when it is another request's turn.
class KeptVariables final : public Variables {
 public:
  KeptVariables(const Variables& from, const std::vector<VariableUse>& uses);
  std::string value(Variable variable, std::string_view argument) const override;

 private:
  std::vector<std::pair<VariableUse, std::string>> values_;
};

// pass_attrs of a token that was right.
FieldList token_fields(const Oauth2Plan& plan, const TokenClaims& claims, const Variables& variables);

}  // namespace postern

#endif
