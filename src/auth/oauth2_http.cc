#include "auth/oauth2_http.h"

#include <algorithm>

#include "base/base64.h"
#include "base/text.h"

namespace postern {

namespace {

using Kind = TokenVerdict::Kind;

HttpRequest request_to(const Oauth2Plan& plan, std::string url) {
  HttpRequest out;
  out.url = std::move(url);
  out.timeout = plan.timeout;
  out.ca_file = plan.ca_file;
  out.ca_dir = plan.ca_dir;
  out.cert_file = plan.cert_file;
  out.key_file = plan.key_file;
  out.verify = plan.verify;
  out.headers.emplace_back("Accept: application/json");
  return out;
}

SecretString joined(std::string_view a, std::string_view b) {
  SecretString out(a);
  out.append(b);
  return out;
}

void add_to_form(SecretString& form, std::string_view name, std::string_view value) {
  std::string escaped = url_escape(value);
  form.append(form.empty() ? "" : "&");
  form.append(name);
  form.append("=");
  form.append(escaped);
  secure_zero(escaped.data(), escaped.size());
}

HttpRequest form_to(const Oauth2Plan& plan, const std::string& url, SecretString form) {
  HttpRequest out = request_to(plan, url);
  out.method = "POST";
  out.headers.emplace_back("Content-Type: application/x-www-form-urlencoded");
  out.body = std::move(form);
  return out;
}

// user:password@ before the host: libcurl sends it as basic authentication.
bool names_client(std::string_view url) {
  const size_t start = url.find("://");
  const std::string_view authority = url.substr(start + 3, url.find_first_of("/?#", start + 3) - start - 3);
  return authority.find('@') != std::string_view::npos;
}

// RFC 6749 section 2.3.1.
void add_client(const Oauth2Plan& plan, HttpRequest& request) {
  if (plan.client_secret.empty() || names_client(request.url)) return;
  const SecretString pair = joined(url_escape(plan.client_id) + ":", url_escape(plan.client_secret.reveal()));
  request.headers.push_back(joined("Authorization: Basic ", base64_encode(pair.reveal())));
}

// Errors that say something of who asked, or of the server; all others are about what was asked for.
constexpr std::string_view kOurs[] = {"invalid_client",        "unauthorized_client", "unsupported_grant_type",
                                      "invalid_scope",         "server_error",        "temporarily_unavailable",
                                      "unsupported_token_type"};

TokenVerdict verdict_for(std::string_view error, std::string_view what) {
  const std::string why = std::string(what) + ": the server says: " + printable(error);
  if (std::find(std::begin(kOurs), std::end(kOurs), error) != std::end(kOurs)) return {Kind::Broken, why};
  return {error == "insufficient_scope" ? Kind::WrongScope : Kind::Invalid, why};
}

// error="..." of a WWW-Authenticate header (RFC 6750 section 3).
std::string error_in_header(const HttpAnswer& answer) {
  constexpr std::string_view kError = "error=\"";
  const std::string* header = answer.header("www-authenticate");
  if (header == nullptr || !istarts_with(*header, "bearer")) return {};
  const size_t start = header->find(kError);
  if (start == std::string::npos) return {};
  const std::string_view rest = std::string_view(*header).substr(start + kError.size());
  return std::string(rest.substr(0, rest.find('"')));
}

std::string error_of(const HttpAnswer& answer) {
  const auto body = TokenClaims::parse(answer.body);
  for (const std::string_view name : {"error", "error_description"})
    if (body && body->find(name) != nullptr) return body->text(name).value_or("");
  return error_in_header(answer);
}

}  // namespace

HttpRequest tokeninfo_request(const Oauth2Plan& plan, const SecretString& token) {
  return request_to(plan, plan.tokeninfo_url + url_escape(token.reveal()));
}

HttpRequest introspection_request(const Oauth2Plan& plan, const SecretString& token) {
  if (plan.mode == IntrospectionMode::Get) return request_to(plan, plan.introspection_url + url_escape(token.reveal()));
  if (plan.mode == IntrospectionMode::Auth) {
    HttpRequest out = request_to(plan, plan.introspection_url);
    out.headers.push_back(joined("Authorization: Bearer ", token.reveal()));
    return out;
  }
  SecretString form;
  add_to_form(form, "token", token.reveal());
  add_to_form(form, "token_type_hint", "access_token");
  HttpRequest out = form_to(plan, plan.introspection_url, std::move(form));
  add_client(plan, out);
  return out;
}

HttpRequest grant_request(const Oauth2Plan& plan, std::string_view user, const SecretString& password) {
  SecretString form;
  add_to_form(form, "grant_type", "password");
  add_to_form(form, "username", user);
  add_to_form(form, "password", password.reveal());
  add_to_form(form, "client_id", plan.client_id);
  if (!plan.client_secret.empty()) add_to_form(form, "client_secret", plan.client_secret.reveal());
  std::string scope;
  for (const std::string& one : plan.scopes) scope.append(scope.empty() ? "" : " ").append(one);
  if (!scope.empty()) add_to_form(form, "scope", scope);
  return form_to(plan, plan.grant_url, std::move(form));
}

RefusalMeans tokeninfo_refusal() { return RefusalMeans::Token; }

// Where the token is the credential that opens the page, a closed door is about the token.
RefusalMeans introspection_refusal(const Oauth2Plan& plan) {
  return plan.mode == IntrospectionMode::Post ? RefusalMeans::Us : RefusalMeans::Token;
}

std::variant<TokenClaims, TokenVerdict> read_answer(const HttpAnswer& answer, RefusalMeans unexplained,
                                                    std::string_view what) {
  const std::string name(what);
  if (answer.status == 0) return TokenVerdict{Kind::Broken, name + ": " + printable(answer.why)};
  if (answer.status / 100 == 2) {
    auto claims = TokenClaims::parse(answer.body);
    if (!claims) return TokenVerdict{Kind::Broken, name + ": the answer is no JSON object"};
    if (claims->find("error") != nullptr) return verdict_for(claims->text("error").value_or(""), what);
    return std::move(*claims);
  }
  const std::string status = "answer " + std::to_string(answer.status);
  if (answer.status != 400 && answer.status != 401 && answer.status != 403)
    return TokenVerdict{Kind::Broken, name + ": " + status};
  const std::string error = error_of(answer);
  if (!error.empty()) return verdict_for(error, what);
  const bool about_token = unexplained == RefusalMeans::Token && answer.status == 401;
  return TokenVerdict{about_token ? Kind::Invalid : Kind::Broken, name + ": " + status};
}

}  // namespace postern
