#include "auth/oauth2_claims.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "auth/username.h"
#include "base/text.h"

namespace postern {

namespace {

using Json = nlohmann::json;
using Kind = TokenVerdict::Kind;

constexpr uint64_t kSkew = 1;  // seconds that another clock may be ahead of ours (AUTH-25)

bool is_usable(std::string_view text) {
  return text.size() <= TokenClaims::kMaxValue &&
         text.find_first_of(std::string_view("\0\r\n", 3)) == std::string_view::npos;
}

std::optional<TokenClaims::Value> scalar(const Json& value) {
  if (value.is_boolean()) return TokenClaims::Value{TokenClaims::Kind::Flag, {value.get<bool>() ? "true" : "false"}};
  if (value.is_number()) return TokenClaims::Value{TokenClaims::Kind::Number, {value.dump()}};
  if (!value.is_string() || !is_usable(value.get_ref<const std::string&>())) return std::nullopt;
  return TokenClaims::Value{TokenClaims::Kind::Text, {value.get<std::string>()}};
}

TokenClaims::Value taken(const Json& value) {
  if (!value.is_array()) return scalar(value).value_or(TokenClaims::Value{TokenClaims::Kind::Other, {}});
  TokenClaims::Value list{TokenClaims::Kind::List, {}};
  size_t bytes = 0;
  for (const Json& item : value) {
    auto one = scalar(item);
    if (!one) continue;
    bytes += one->items[0].size() + 1;
    if (bytes > TokenClaims::kMaxValue) break;
    list.items.push_back(std::move(one->items[0]));
  }
  return list;
}

// The variables of username_format when it is applied to the name that the token has.
class NameOnly final : public Variables {
 public:
  explicit NameOnly(std::string name) : name_(std::move(name)) {}
  std::string value(Variable variable, std::string_view) const override {
    return is_name_variable(variable) ? name_variable(variable, name_) : std::string();
  }

 private:
  std::string name_;
};

bool holds(const std::vector<std::string>& list, std::string_view wanted) {
  return std::find(list.begin(), list.end(), wanted) != list.end();
}

std::string shown(const TokenClaims& claims, std::string_view name) {
  return "'" + printable(claims.text(name).value_or("")) + "'";
}

struct Context {
  const TokenClaims& claims;
  const Oauth2Plan& plan;
  ClaimsFrom from;
  uint64_t now;
};

TokenVerdict invalid(std::string why) { return {Kind::Invalid, std::move(why)}; }

// A server's error in place of an answer, and RFC 7662's "active".
TokenVerdict check_alive(const Context& c) {
  if (c.from == ClaimsFrom::Jwt) return {};
  if (c.claims.find("error") != nullptr)
    return invalid("the server says: " + printable(c.claims.text("error").value_or("")));
  if (c.claims.text("active") == "false") return invalid("Token is not active");
  return {};
}

TokenVerdict check_active(const Context& c) {
  if (c.plan.active_attribute.empty()) return {};
  const auto value = c.claims.text(c.plan.active_attribute);
  if (value && (c.plan.active_value.empty() || *value == c.plan.active_value)) return {};
  return {Kind::Disabled, "User account is not active"};
}

TokenVerdict check_times(const Context& c) {
  using State = TokenClaims::Time::State;
  const auto exp = c.claims.time("exp"), nbf = c.claims.time("nbf"), iat = c.claims.time("iat");
  for (const auto& [name, time] : {std::pair("exp", exp), std::pair("nbf", nbf), std::pair("iat", iat)})
    if (time.state == State::Malformed) return invalid(std::string("'") + name + "' is no time");
  const auto latest = static_cast<int64_t>(c.now + kSkew),
             earliest = static_cast<int64_t>(c.now) - static_cast<int64_t>(c.plan.expire_grace);
  if (exp.state == State::Absent && c.from == ClaimsFrom::Jwt) return invalid("'exp' is missing");
  if (exp.state == State::Given && exp.seconds < earliest) return invalid("Token has expired");
  if (nbf.state == State::Given && nbf.seconds > latest) return invalid("Token is not valid yet");
  if (iat.state == State::Given && iat.seconds > latest) return invalid("Token was issued in the future");
  if (exp.state == State::Given && (exp.seconds < nbf.seconds || exp.seconds < iat.seconds))
    return invalid("Token's times contradict each other");
  return {};
}

TokenVerdict check_subject(const Context& c) {
  const bool missing = c.from == ClaimsFrom::Jwt && c.claims.text("sub").value_or("").empty();
  return missing ? invalid("'sub' is missing") : TokenVerdict();
}

// A server that was asked need not say who it is.
TokenVerdict check_issuer(const Context& c) {
  const bool silent = c.claims.find("iss") == nullptr;
  if (c.plan.issuers.empty() || (silent && c.from == ClaimsFrom::Server)) return {};
  const TokenClaims::Value* issuer = c.claims.find("iss");
  const bool known =
      issuer != nullptr && issuer->kind == TokenClaims::Kind::Text && holds(c.plan.issuers, issuer->items[0]);
  return known ? TokenVerdict() : invalid("Issuer " + shown(c.claims, "iss") + " is not one of oauth2_issuers");
}

// For whom the token was made: an audience is one string or a list (RFC 7519 section 4.1.3). A server may name the
// client instead.
TokenVerdict check_audience(const Context& c) {
  if (c.plan.client_id.empty()) return {};
  const auto names_us = [&](std::string_view claim) {
    const TokenClaims::Value* value = c.claims.find(claim);
    return value != nullptr && holds(value->items, c.plan.client_id);
  };
  if (names_us("aud")) return {};
  const bool silent = c.claims.find("aud") == nullptr && c.claims.find("client_id") == nullptr;
  if (c.from == ClaimsFrom::Server && (silent || names_us("client_id"))) return {};
  return invalid("Audience " + shown(c.claims, "aud") + " is not oauth2_client_id");
}

TokenVerdict check_scopes(const Context& c) {
  // Servers that know no "scope" have it as the audience.
  const bool as_audience = c.from == ClaimsFrom::Server && c.claims.find("scope") == nullptr;
  const auto granted = c.claims.words(as_audience ? "aud" : "scope");
  for (const std::string& wanted : c.plan.scopes)
    if (!holds(granted, wanted)) return {Kind::WrongScope, "Token is not valid for scope '" + wanted + "'"};
  return {};
}

using Check = TokenVerdict (*)(const Context&);
constexpr Check kChecks[] = {check_alive,  check_active,   check_times, check_subject,
                             check_issuer, check_audience, check_scopes};

struct StatusRow {
  Kind kind;
  std::string_view word, number;  // RFC 7628; XOAUTH2
};
constexpr StatusRow kStatus[] = {{Kind::Invalid, "invalid_token", "401"},
                                 {Kind::WrongScope, "insufficient_scope", "403"},
                                 {Kind::Disabled, "invalid_token", "401"}};

std::string joined(const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items) out.append(out.empty() ? "" : " ").append(item);
  return out;
}

// Template variables of pass_attrs.
class TokenVariables final : public Variables {
 public:
  TokenVariables(const TokenClaims& claims, const Variables& others) : claims_(claims), others_(others) {}
  std::string value(Variable variable, std::string_view argument) const override {
    const auto name = variable == Variable::PassdbField ? token_variable(argument) : std::nullopt;
    return name ? claims_.text(*name).value_or("") : others_.value(variable, argument);
  }

 private:
  const TokenClaims& claims_;
  const Variables& others_;
};

}  // namespace

std::optional<TokenClaims> TokenClaims::parse(std::string_view json) {
  const Json object = Json::parse(json, nullptr, false);
  if (!object.is_object()) return std::nullopt;
  TokenClaims out;
  for (const auto& [name, value] : object.items()) {
    if (out.members_.size() >= kMaxMembers) break;
    if (is_usable(name) && !value.is_null()) out.members_.insert_or_assign(name, taken(value));
  }
  return out;
}

void TokenClaims::merge(TokenClaims later) {
  for (auto& [name, value] : later.members_) members_.insert_or_assign(name, std::move(value));
}

void TokenClaims::set(std::string_view name, std::string_view value) {
  members_.insert_or_assign(std::string(name), Value{Kind::Text, {std::string(value)}});
}

const TokenClaims::Value* TokenClaims::find(std::string_view name) const {
  const auto found = members_.find(name);
  return found == members_.end() ? nullptr : &found->second;
}

std::optional<std::string> TokenClaims::text(std::string_view name) const {
  const Value* value = find(name);
  return value == nullptr || value->kind == Kind::Other ? std::nullopt : std::optional(joined(value->items));
}

std::vector<std::string> TokenClaims::words(std::string_view name) const {
  const Value* value = find(name);
  std::vector<std::string> out;
  if (value == nullptr || value->kind == Kind::Other) return out;
  if (value->kind == Kind::List) return value->items;
  for (const std::string_view word : split_words(value->items[0], " \t,")) out.emplace_back(word);
  return out;
}

TokenClaims::Time TokenClaims::time(std::string_view name) const {
  constexpr uint64_t kMaxSeconds = uint64_t{1} << 53;
  const Value* value = find(name);
  if (value == nullptr) return {};
  // "1700000000", 1700000000, 1700000000.25; what is finer than a second does not matter.
  const bool single = value->kind == Kind::Text || value->kind == Kind::Number;
  const std::string_view text = single ? std::string_view(value->items[0]) : std::string_view();
  const auto seconds = parse_number(text.substr(0, text.find('.')), kMaxSeconds);
  if (!seconds || text.find_first_not_of("0123456789.") != std::string_view::npos) return {Time::State::Malformed, 0};
  return {Time::State::Given, static_cast<int64_t>(*seconds)};
}

TokenVerdict check_token(const TokenClaims& claims, const Oauth2Plan& plan, ClaimsFrom from, uint64_t now) {
  const Context context{claims, plan, from, now};
  for (const Check check : kChecks)
    if (TokenVerdict verdict = check(context); verdict.kind != Kind::Right) return verdict;
  return {};
}

TokenVerdict check_claims(const TokenClaims& claims, const Oauth2Plan& plan, const std::string& user, ClaimsFrom from,
                          uint64_t now) {
  TokenVerdict verdict = check_token(claims, plan, from, now);
  if (verdict.kind != Kind::Right) return verdict;
  const auto name = claims.text(plan.username_attribute);
  if (!name || name->empty())
    return {Kind::Broken, "oauth2_username_attribute = " + plan.username_attribute + ": not in the answer"};
  const std::string formatted = plan.username_format.expand(NameOnly(*name));
  if (!user.empty() && formatted == user) return {};
  return invalid("Username '" + printable(user) + "' did not match '" + printable(formatted) + "'");
}

std::string token_refusal(const Oauth2Plan& plan, TokenVerdict::Kind kind, std::string_view mechanism) {
  const auto* row =
      std::find_if(std::begin(kStatus), std::end(kStatus), [&](const StatusRow& r) { return r.kind == kind; });
  if (row == std::end(kStatus)) return {};
  const bool google = mechanism == "XOAUTH2";
  nlohmann::ordered_json out;
  out["status"] = google ? row->number : row->word;
  if (google) out["schemes"] = "bearer";
  if (!plan.scopes.empty()) out["scope"] = joined(plan.scopes);
  if (!plan.openid_configuration_url.empty()) out["openid-configuration"] = plan.openid_configuration_url;
  return out.dump(-1, ' ', true, Json::error_handler_t::replace);
}

KeptVariables::KeptVariables(const Variables& from, const std::vector<VariableUse>& uses) {
  for (const VariableUse& use : uses) values_.emplace_back(use, from.value(use.variable, use.argument));
}

std::string KeptVariables::value(Variable variable, std::string_view argument) const {
  for (const auto& [use, kept] : values_)
    if (use.variable == variable && use.argument == argument) return kept;
  return {};
}

FieldList token_fields(const Oauth2Plan& plan, const TokenClaims& claims, const Variables& variables) {
  const TokenVariables all(claims, variables);
  FieldList out;
  for (const TokenField& field : plan.pass_attrs) out.emplace_back(field.name, field.value.expand(all));
  return out;
}

}  // namespace postern
