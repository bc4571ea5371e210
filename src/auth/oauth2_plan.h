// The settings of a passdb with driver = "oauth2": Dovecot 2.3's names and defaults (AUTH-24, DECISIONS section 2).
// Pure.
#ifndef POSTERN_AUTH_OAUTH2_PLAN_H
#define POSTERN_AUTH_OAUTH2_PLAN_H

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/db.h"
#include "base/clock.h"

namespace postern {

// How a token is introspected.
enum class IntrospectionMode : uint8_t {
  Auth,   // GET, the token as bearer (RFC 6750 section 2.1)
  Get,    // GET, the token at the end of the URL
  Post,   // RFC 7662 section 2.1
  Local,  // nobody is asked: the token is a JWT (RFC 7519) whose signature and claims say it all
};

// One field of pass_attrs; what `%{oauth2:NAME}` stands for comes from TokenVariables.
struct TokenField {
  std::string name;
  Template value;
};

struct Oauth2Plan {
  std::string tokeninfo_url, introspection_url, grant_url, openid_configuration_url;
  IntrospectionMode mode = IntrospectionMode::Auth;
  bool force_introspection = false, use_grant_password = false;
  std::string client_id;
  SecretString client_secret;
  std::vector<std::string> scopes, issuers;  // all of the scopes are needed, one of the issuers
  std::string username_attribute = "email", active_attribute, active_value;
  Template username_format;
  std::vector<TokenField> pass_attrs;
  std::vector<VariableUse> uses;  // what pass_attrs and username_format need of the request
  uint64_t expire_grace = 60;     // seconds for which an expired token is taken, and no more (AUTH-25)
  // keys of local validation
  std::string jwks_file;   // JSON Web Key Set (RFC 7517 section 5)
  std::string key_prefix;  // PREFIX<azp>/<alg>/<kid> are files with a key each
  // HTTP
  Milliseconds timeout{10'000}, idle{60'000};
  uint64_t connections = 10;
  std::string ca_file, ca_dir, cert_file, key_file;
  bool verify = true;

  // The Error names the setting. Nothing is opened.
  static Result<Oauth2Plan> from(const DatabaseSettings& settings);
};

Result<DriverTraits> describe_oauth2(const DatabaseSettings& settings, DbKind kind);

// The argument of %{passdb:...} that stands for %{oauth2:NAME} in a TokenField; nothing for any other.
std::optional<std::string_view> token_variable(std::string_view argument);

}  // namespace postern

#endif
