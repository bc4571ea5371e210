// What an authorization server is asked, and what its answers mean (AUTH-24; RFC 6749, RFC 6750, RFC 7662). Pure.
#ifndef POSTERN_AUTH_OAUTH2_HTTP_H
#define POSTERN_AUTH_OAUTH2_HTTP_H

#include <string>
#include <string_view>
#include <variant>

#include "auth/oauth2_claims.h"
#include "net/http_client.h"

namespace postern {

// GET, the token at the end of tokeninfo_url.
HttpRequest tokeninfo_request(const Oauth2Plan& plan, const SecretString& token);
// As introspection_mode says; not for `local`.
HttpRequest introspection_request(const Oauth2Plan& plan, const SecretString& token);
// Password grant (RFC 6749 section 4.3).
HttpRequest grant_request(const Oauth2Plan& plan, std::string_view user, const SecretString& password);

// Whom a refusal (400, 401, 403) without an explanation is about: the token (or password), or us who asked.
enum class RefusalMeans : uint8_t { Token, Us };
RefusalMeans tokeninfo_refusal();
RefusalMeans introspection_refusal(const Oauth2Plan& plan);

// The claims of an answer, or what it says of the token without any: Broken for all that is not the token's fault.
// `what` was asked, for the log.
std::variant<TokenClaims, TokenVerdict> read_answer(const HttpAnswer& answer, RefusalMeans unexplained,
                                                    std::string_view what);

}  // namespace postern

#endif
