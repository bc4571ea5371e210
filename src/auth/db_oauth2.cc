#include "auth/db_oauth2.h"

#include <algorithm>

#include "auth/jwt.h"
#include "auth/jwt_key_store.h"
#include "auth/oauth2_claims.h"
#include "auth/oauth2_http.h"
#include "base/clock.h"

namespace postern {

namespace {

using Kind = TokenVerdict::Kind;

constexpr std::string_view kAccessToken = "access_token";

constexpr PasswordCheck kChecks[] = {PasswordCheck::Right, PasswordCheck::Wrong, PasswordCheck::Wrong,
                                     PasswordCheck::Disabled, PasswordCheck::None};
static_assert(std::size(kChecks) == static_cast<size_t>(Kind::kCount));

class Oauth2Database;

// One login's token on its way through the servers.
struct TokenLookup {
  const Oauth2Plan& plan;
  KeptVariables variables;
  std::string user, formatted_user, mechanism;
  SecretString token;
  TokenClaims claims{};
  AsyncDatabase::Done done{};

  TokenLookup(const Oauth2Plan& p, const Variables& request, const SecretString& password)
      : plan(p),
        variables(request, p.uses),
        user(request.value(Variable::User, {})),
        formatted_user(p.username_format.expand(request)),
        mechanism(request.value(Variable::Mechanism, {})),
        token(password) {}

  DbRow row(TokenVerdict verdict) {
    if (verdict.kind == Kind::Broken) return DbRow::broken(std::move(verdict.why));
    DbRow out;
    out.result = LookupResult::Found;
    out.check = kChecks[static_cast<size_t>(verdict.kind)];
    out.why = std::move(verdict.why);
    out.refusal = token_refusal(plan, verdict.kind, mechanism);
    if (verdict.kind != Kind::Right) return out;
    claims.set(kAccessToken, token.reveal());
    out.fields = token_fields(plan, claims, variables);
    return out;
  }
};

class Oauth2Database final : public AsyncDatabase {
 public:
  Oauth2Database(Oauth2Plan plan, Loop& loop)
      : plan_(std::move(plan)),
        loop_(loop),
        http_(loop, {.connections = plan_.connections, .idle = plan_.idle}),
        keys_(open_jwt_keys(plan_.jwks_file, plan_.key_prefix)) {}

  void lookup(const AsyncLookup& what, Done done) override {
    // There are no users here, only tokens.
    if (what.shown.secret == nullptr) return answer(std::move(done), DbRow::not_found());
    auto lookup = std::make_shared<TokenLookup>(plan_, what.variables, *what.shown.secret);
    lookup->done = std::move(done);
    plan_.use_grant_password ? get_token(lookup) : check(lookup);
  }

 private:
  using Lookup = std::shared_ptr<TokenLookup>;

  void get_token(const Lookup& lookup) {
    send(lookup, grant_request(plan_, lookup->user, lookup->token), RefusalMeans::Us, "grant_url", [this, lookup] {
      const auto token = lookup->claims.text(kAccessToken);
      if (!token || token->empty()) return finish(*lookup, {Kind::Broken, "grant_url: the answer has no access_token"});
      lookup->token = SecretString(*token);
      lookup->claims = {};
      check(lookup);
    });
  }

  void check(const Lookup& lookup) {
    if (plan_.mode == IntrospectionMode::Local) return check_locally(lookup);
    if (plan_.tokeninfo_url.empty()) return introspect(lookup);
    send(lookup, tokeninfo_request(plan_, lookup->token), tokeninfo_refusal(), "tokeninfo_url", [this, lookup] {
      const bool introspects =
          !plan_.introspection_url.empty() && (plan_.force_introspection || !has_all(lookup->claims));
      introspects ? introspect(lookup) : judge(lookup, ClaimsFrom::Server);
    });
  }

  void introspect(const Lookup& lookup) {
    send(lookup, introspection_request(plan_, lookup->token), introspection_refusal(plan_), "introspection_url",
         [this, lookup] { judge(lookup, ClaimsFrom::Server); });
  }

  void check_locally(const Lookup& lookup) {
    auto token = parse_jwt(lookup->token.reveal());
    if (!token) return finish(*lookup, {Kind::Invalid, token.error()});
    TokenVerdict verdict = verify_jwt(*token, *keys_);
    if (verdict.kind != Kind::Right) return finish(*lookup, std::move(verdict));
    lookup->claims = std::move(token->claims);
    judge(lookup, ClaimsFrom::Jwt);
  }

  // Whether the next answer would add nothing that is needed.
  bool has_all(const TokenClaims& claims) const {
    const auto missing = [&](std::string_view name) {
      return !name.empty() && name != kAccessToken && claims.find(name) == nullptr;
    };
    return !missing(plan_.username_attribute) && !missing(plan_.active_attribute) &&
           std::none_of(plan_.uses.begin(), plan_.uses.end(),
                        [&](const VariableUse& use) { return missing(token_variable(use.argument).value_or("")); });
  }

  void judge(const Lookup& lookup, ClaimsFrom from) {
    const uint64_t now = SystemClock().wall_microseconds() / 1'000'000;
    finish(*lookup, check_claims(lookup->claims, plan_, lookup->formatted_user, from, now));
  }

  // Merges the answer's claims and goes on with `next`, or ends.
  template <class Next>
  void send(const Lookup& lookup, HttpRequest request, RefusalMeans unexplained, std::string_view what, Next next) {
    http_.send(std::move(request), [this, lookup, unexplained, what, next](HttpAnswer answer) {
      auto read = read_answer(answer, unexplained, what);
      secure_zero(answer.body.data(), answer.body.size());
      if (auto* verdict = std::get_if<TokenVerdict>(&read)) return finish(*lookup, std::move(*verdict));
      lookup->claims.merge(std::move(std::get<TokenClaims>(read)));
      next();
    });
  }

  void finish(TokenLookup& lookup, TokenVerdict verdict) {
    answer(std::move(lookup.done), lookup.row(std::move(verdict)));
  }

  // At the end of this turn: never before lookup() returned.
  void answer(Done done, DbRow row) {
    loop_.defer([call = std::move(done), told = std::make_shared<DbRow>(std::move(row))] { call(std::move(*told)); });
  }

  Oauth2Plan plan_;
  Loop& loop_;
  HttpClient http_;
  std::unique_ptr<JwtKeys> keys_;
};

}  // namespace

Result<std::unique_ptr<AsyncDatabase>> open_oauth2(const DatabaseSettings& settings, DbKind, const AsyncWorld& world) {
  auto plan = Oauth2Plan::from(settings);
  if (!plan) return Error(plan.error());
  return std::unique_ptr<AsyncDatabase>(std::make_unique<Oauth2Database>(std::move(*plan), world.loop));
}

}  // namespace postern
