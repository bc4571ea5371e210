#include "auth/oauth2_plan.h"

#include <algorithm>

#include "base/text.h"
#include "conf/node.h"
#include "conf/values.h"
#include "net/http_client.h"

namespace postern {

namespace {

constexpr std::string_view kPrefix = "oauth2_";
// No name of a passdb field has this byte: templates know no oauth2 variables, so they travel as fields.
constexpr std::string_view kTokenVariable = "oauth2\1";
constexpr std::string_view kKeyDict = "fs:posix:prefix=";

Result<bool> flag(const std::string& text) {
  const auto value = parse_yes_no(text.empty() ? "no" : text);
  return value ? value : Error("accepted: yes, no");
}

Status take_flag(const std::string& text, bool& out) {
  const auto value = flag(text);
  if (!value) return Error(value.error());
  out = *value;
  return {};
}

Status take_url(const std::string& text, std::string& out) {
  if (!text.empty() && !is_http_url(text)) return Error("is not an http or https URL");
  out = text;
  return {};
}

// Dovecot writes `<` before a file's name in some of its settings.
Status take_path(const std::string& text, std::string& out) {
  out = text.substr(text.starts_with('<') ? 1 : 0);
  if (!out.empty() && out[0] != '/') return Error("is not an absolute path");
  return {};
}

Status take_milliseconds(const std::string& text, Milliseconds& out) {
  const auto value = parse_number(text, 3'600'000);
  if (!value) return Error("is not a number of milliseconds up to 3600000");
  if (*value > 0) out = Milliseconds(*value);  // 0: the default; to wait for ever is not on offer
  return {};
}

std::vector<std::string> words(const std::string& text, std::string_view separators) {
  std::vector<std::string> out;
  for (const std::string_view word : split_words(text, separators)) out.emplace_back(word);
  return out;
}

Status take_mode(const std::string& text, IntrospectionMode& out) {
  constexpr std::string_view kModes[] = {"auth", "get", "post", "local"};
  const auto* found =
      std::find(std::begin(kModes), std::end(kModes), text.empty() ? kModes[0] : std::string_view(text));
  if (found == std::end(kModes)) return Error("accepted: auth, get, post, local");
  out = static_cast<IntrospectionMode>(found - std::begin(kModes));
  return {};
}

Status take_dict(const std::string& text, std::string& out) {
  if (text.empty()) return {};
  if (!text.starts_with(kKeyDict)) return Error("accepted: " + std::string(kKeyDict) + "/FOLDER/");
  return take_path(text.substr(kKeyDict.size()), out);
}

Status take_folder(const std::string& text, std::string& out) {
  const Status status = take_path(text, out);
  if (!out.empty() && !out.ends_with('/')) out += '/';
  return status;
}

Status take_format(const std::string& text, Template& out) {
  auto compiled = Template::compile(text);
  if (!compiled) return Error(compiled.error());
  out = std::move(*compiled);
  return {};
}

// %{oauth2:NAME} and %$, the token's own value of this field's name, as variables that a Template knows.
std::string with_token_variables(std::string_view name, std::string_view value) {
  constexpr std::string_view kLong = "{oauth2:";
  std::string out;
  for (size_t at = 0; at < value.size();) {
    if (value.substr(at, 2) == "%%") out += value.substr(at, 2), at += 2;
    else if (value.substr(at, 2) == "%$")
      out.append("%{passdb:").append(kTokenVariable).append(name).append("}"), at += 2;
    else if (value.substr(at).starts_with(kLong)) out.append("{passdb:").append(kTokenVariable), at += kLong.size();
    else out += value[at++];
  }
  return out;
}

// Words at blanks that stand outside braces: a variable may have filters.
std::vector<std::string> attribute_words(std::string_view text) {
  std::vector<std::string> out(1);
  int depth = 0;
  for (const char c : text) {
    depth += c == '{' ? 1 : c == '}' && depth > 0 ? -1 : 0;
    if (depth == 0 && (c == ' ' || c == '\t')) out.emplace_back();
    else out.back() += c;
  }
  std::erase(out, "");
  return out;
}

Status take_attributes(const std::string& text, std::vector<TokenField>& out) {
  for (const std::string& word : attribute_words(text)) {
    const size_t equal = std::min(word.find('='), word.size());
    const std::string name = word.substr(0, equal);
    if (name.empty()) return Error(word + ": is not NAME=VALUE");
    auto value = Template::compile(
        with_token_variables(name, equal < word.size() ? std::string_view(word).substr(equal + 1) : ""));
    if (!value) return Error(name + ": " + value.error());
    out.push_back({name, std::move(*value)});
  }
  return {};
}

Status take_nothing(const std::string&, Oauth2Plan&) { return {}; }

Status refuse_yes(const std::string& text, Oauth2Plan&) {
  const auto value = flag(text);
  if (value && !*value) return {};
  return Error("is not supported; accepted: no");
}

struct Key {
  std::string_view name;
  Status (*take)(const std::string& text, Oauth2Plan& plan);
};

constexpr Key kKeys[] = {
    {"tokeninfo_url", [](const std::string& t, Oauth2Plan& p) { return take_url(t, p.tokeninfo_url); }},
    {"introspection_url", [](const std::string& t, Oauth2Plan& p) { return take_url(t, p.introspection_url); }},
    {"introspection_mode", [](const std::string& t, Oauth2Plan& p) { return take_mode(t, p.mode); }},
    {"force_introspection", [](const std::string& t, Oauth2Plan& p) { return take_flag(t, p.force_introspection); }},
    {"grant_url", [](const std::string& t, Oauth2Plan& p) { return take_url(t, p.grant_url); }},
    {"use_grant_password", [](const std::string& t, Oauth2Plan& p) { return take_flag(t, p.use_grant_password); }},
    {"client_id",
     [](const std::string& t, Oauth2Plan& p) {
       p.client_id = t;
       return Status();
     }},
    {"client_secret",
     [](const std::string& t, Oauth2Plan& p) {
       p.client_secret = SecretString(t);
       return Status();
     }},
    {"scope",
     [](const std::string& t, Oauth2Plan& p) {
       p.scopes = words(t, " \t,");
       return Status();
     }},
    {"issuers",
     [](const std::string& t, Oauth2Plan& p) {
       p.issuers = words(t, " \t");
       return Status();
     }},
    {"username_attribute",
     [](const std::string& t, Oauth2Plan& p) {
       if (!t.empty()) p.username_attribute = t;
       return Status();
     }},
    {"username_format", [](const std::string& t, Oauth2Plan& p) { return take_format(t, p.username_format); }},
    {"username_validation_format",
     [](const std::string& t, Oauth2Plan& p) { return take_format(t, p.username_format); }},
    {"active_attribute",
     [](const std::string& t, Oauth2Plan& p) {
       p.active_attribute = t;
       return Status();
     }},
    {"active_value",
     [](const std::string& t, Oauth2Plan& p) {
       p.active_value = t;
       return Status();
     }},
    {"pass_attrs", [](const std::string& t, Oauth2Plan& p) { return take_attributes(t, p.pass_attrs); }},
    {"openid_configuration_url",
     [](const std::string& t, Oauth2Plan& p) { return take_url(t, p.openid_configuration_url); }},
    {"local_validation_key_dict", [](const std::string& t, Oauth2Plan& p) { return take_dict(t, p.key_prefix); }},
    {"key_dir", [](const std::string& t, Oauth2Plan& p) { return take_folder(t, p.key_prefix); }},
    {"jwks_file", [](const std::string& t, Oauth2Plan& p) { return take_path(t, p.jwks_file); }},
    {"timeout_msecs", [](const std::string& t, Oauth2Plan& p) { return take_milliseconds(t, p.timeout); }},
    {"max_idle_time_msecs", [](const std::string& t, Oauth2Plan& p) { return take_milliseconds(t, p.idle); }},
    {"max_parallel_connections",
     [](const std::string& t, Oauth2Plan& p) {
       const auto value = parse_number(t, 10'000);
       if (!value || *value == 0) return Status(Error("is not a number from 1 to 10000"));
       p.connections = *value;
       return Status();
     }},
    {"tls_ca_cert_file", [](const std::string& t, Oauth2Plan& p) { return take_path(t, p.ca_file); }},
    {"tls_ca_cert_dir", [](const std::string& t, Oauth2Plan& p) { return take_path(t, p.ca_dir); }},
    {"tls_cert_file", [](const std::string& t, Oauth2Plan& p) { return take_path(t, p.cert_file); }},
    {"tls_key_file", [](const std::string& t, Oauth2Plan& p) { return take_path(t, p.key_file); }},
    {"tls_allow_invalid_cert",
     [](const std::string& t, Oauth2Plan& p) {
       bool allow = false;
       const Status status = take_flag(t, allow);
       p.verify = !allow;
       return status;
     }},
    {"send_auth_headers", refuse_yes},
    {"rawlog_dir",
     [](const std::string& t, Oauth2Plan&) {
       return t.empty() ? Status() : Status(Error("tokens are never written to files"));
     }},
    {"tls_cipher_suite", take_nothing},
    {"max_pipelined_requests", take_nothing},
    {"blocking", take_nothing},
    {"debug", take_nothing},
};

Status take_all(const DatabaseSettings& settings, Oauth2Plan& plan) {
  for (const auto& [name, value] : settings.driver_settings) {
    const std::string_view bare = std::string_view(name).substr(name.starts_with(kPrefix) ? kPrefix.size() : 0);
    const auto* key = std::find_if(std::begin(kKeys), std::end(kKeys), [&](const Key& k) { return k.name == bare; });
    // The reader of the configuration has complained of names that nobody knows.
    if (key == std::end(kKeys)) continue;
    const Status status = key->take(value, plan);
    const bool secret = is_secret_name(name) || has_url_password(value);
    if (!status) return Error(name + (secret ? "" : " = " + printable(value)) + ": " + status.error());
  }
  return {};
}

bool given(const DatabaseSettings& settings, std::string_view name) {
  const auto found = settings.driver_settings.find(std::string(kPrefix) + std::string(name));
  return found != settings.driver_settings.end() && !found->second.empty();
}

// Settings that make no sense together, or without another.
Status check_together(const DatabaseSettings& settings, const Oauth2Plan& plan) {
  const bool local = plan.mode == IntrospectionMode::Local;
  const bool has_keys = !plan.jwks_file.empty() || !plan.key_prefix.empty();
  if (given(settings, "username_format") && given(settings, "username_validation_format"))
    return Error("oauth2_username_validation_format stands beside oauth2_username_format; accepted: one of them");
  if (given(settings, "jwks_file") + given(settings, "key_dir") + given(settings, "local_validation_key_dict") > 1)
    return Error("accepted: one of oauth2_local_validation_key_dict, oauth2_key_dir, oauth2_jwks_file");
  if (local && !has_keys)
    return Error(
        "oauth2_introspection_mode = local: needs oauth2_local_validation_key_dict, oauth2_key_dir or "
        "oauth2_jwks_file");
  if (!local && (given(settings, "jwks_file") || given(settings, "key_dir")))
    return Error("keys are used with oauth2_introspection_mode = local only");
  if (plan.use_grant_password && (plan.grant_url.empty() || plan.client_id.empty()))
    return Error("oauth2_use_grant_password = yes: needs oauth2_grant_url and oauth2_client_id");
  if (!local && plan.tokeninfo_url.empty() && plan.introspection_url.empty())
    return Error("needs oauth2_tokeninfo_url, oauth2_introspection_url or oauth2_introspection_mode = local");
  if (plan.force_introspection && !local && plan.introspection_url.empty())
    return Error("oauth2_force_introspection = yes: needs oauth2_introspection_url");
  if (plan.cert_file.empty() != plan.key_file.empty())
    return Error("oauth2_tls_cert_file and oauth2_tls_key_file need each other");
  return {};
}

}  // namespace

Result<Oauth2Plan> Oauth2Plan::from(const DatabaseSettings& settings) {
  Oauth2Plan plan;
  const Status defaults = take_format("%Lu", plan.username_format);
  const Status steps[] = {defaults, take_all(settings, plan)};
  for (const Status& step : steps)
    if (!step) return Error(step.error());
  const Status together = check_together(settings, plan);
  if (!together) return Error(together.error());
  add_uses(plan.username_format, plan.uses);
  for (const TokenField& field : plan.pass_attrs) add_uses(field.value, plan.uses);
  return plan;
}

Result<DriverTraits> describe_oauth2(const DatabaseSettings& settings, DbKind) {
  const auto plan = Oauth2Plan::from(settings);
  if (!plan) return Error(plan.error());
  DriverTraits traits;
  traits.verifies = true;
  return traits;
}

std::optional<std::string_view> token_variable(std::string_view argument) {
  if (!argument.starts_with(kTokenVariable)) return std::nullopt;
  return argument.substr(kTokenVariable.size());
}

}  // namespace postern
