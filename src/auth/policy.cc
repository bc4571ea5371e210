#include "auth/policy.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace postern {

namespace {

using Json = nlohmann::json;

constexpr size_t kMaxMessage = 200;
constexpr size_t kMaxDepth = 4;  // of "a/b/c/d"

// "Name: value", or a bare value for the header that weakforced wants (AUTH-45).
std::string header_line(const std::string& setting) {
  if (setting.empty()) return {};
  return setting.find(':') == std::string::npos ? "X-API-Key: " + setting : setting;
}

struct HashRow {
  std::string_view name;
  DigestKind kind;
};
constexpr HashRow kHashes[] = {{"md5", DigestKind::Md5},
                               {"sha1", DigestKind::Sha1},
                               {"sha256", DigestKind::Sha256},
                               {"sha512", DigestKind::Sha512}};

std::string text(std::string value) {
  // What is no UTF-8 cannot stand in JSON.
  return Json::parse(Json(std::move(value)).dump(-1, ' ', false, Json::error_handler_t::replace)).get<std::string>();
}

}  // namespace

Result<PolicyRules> PolicyRules::compile(const Settings& s) {
  PolicyRules out;
  out.url_ = s.text(Key::auth_policy_server_url);
  if (out.url_.empty()) return out;
  out.nonce_ = SecretString(s.text(Key::auth_policy_hash_nonce));
  if (out.nonce_.empty())
    return Error("auth_policy_hash_nonce is empty; accepted: some text of your own, the same on all hosts");
  out.header_ = SecretString(header_line(s.text(Key::auth_policy_server_api_header)));
  for (const HashRow& row : kHashes)
    if (row.name == s.text(Key::auth_policy_hash_mech)) out.digest_ = row.kind;
  out.truncate_ = static_cast<unsigned>(s.number(Key::auth_policy_hash_truncate));
  if (out.truncate_ >= digest_size(out.digest_) * 8)
    return Error("auth_policy_hash_truncate = " + std::to_string(out.truncate_) +
                 ": accepted: fewer bits than the hash has");
  for (std::string_view word : split_words(s.text(Key::auth_policy_request_attributes)))
    if (const Status added = out.add_attribute(word); !added)
      return Error("auth_policy_request_attributes: " + added.error());
  out.timeout_ = Milliseconds(s.number(Key::auth_policy_server_timeout_msecs));
  out.before_auth_ = s.flag(Key::auth_policy_check_before_auth);
  out.after_auth_ = s.flag(Key::auth_policy_check_after_auth);
  out.report_ = s.flag(Key::auth_policy_report_after_auth);
  out.log_only_ = s.flag(Key::auth_policy_log_only);
  out.reject_on_fail_ = s.flag(Key::auth_policy_reject_on_fail);
  return out;
}

Status PolicyRules::add_attribute(std::string_view word) {
  const size_t equal = word.find('=');
  if (equal == std::string_view::npos || equal == 0) return Error(std::string(word) + ": accepted: NAME=VALUE");
  Attribute attribute;
  for (std::string_view part : split_fields(word.substr(0, equal), '/')) attribute.path.emplace_back(part);
  if (attribute.path.size() > kMaxDepth) return Error(std::string(word) + ": too many '/'");
  const std::string_view value = word.substr(equal + 1);
  if (value == "%{requested_username}") attribute.source = Source::User;
  if (value == "%{hashed_password}") attribute.source = Source::Hash;
  if (attribute.source == Source::Template) {
    auto compiled = Template::compile(value);
    if (!compiled) return Error(std::string(word.substr(0, equal)) + ": " + compiled.error());
    attribute.value = std::move(*compiled);
  }
  attributes_.push_back(std::move(attribute));
  return {};
}

std::string PolicyRules::url(PolicyCommand command) const {
  const std::string_view word = command == PolicyCommand::Allow ? "command=allow" : "command=report";
  if (url_.ends_with('&')) return url_ + std::string(word);
  return url_ + (url_.find('?') == std::string::npos ? "?" : "&") + std::string(word);
}

std::string PolicyRules::hash(std::string_view user, std::string_view password) const {
  std::string salted(nonce_.reveal());
  salted.append(user).append(1, '\0');
  std::string made = digest(digest_, salted, password);
  secure_zero(salted.data(), salted.size());
  if (truncate_ == 0) return hex_encode(made);
  made.resize((truncate_ + 7) / 8);
  // What is too much at the end is shifted out.
  for (unsigned shift = static_cast<unsigned>(made.size()) * 8 - truncate_; shift > 0; --shift)
    for (size_t i = made.size(); i-- > 0;) {
      const unsigned high = i == 0 ? 0 : static_cast<unsigned char>(made[i - 1]) & 1u;
      made[i] = static_cast<char>(static_cast<unsigned char>(made[i]) >> 1 | high << 7);
    }
  return hex_encode(made);
}

std::string PolicyRules::body(PolicyCommand command, const PolicyFacts& facts, const Variables& variables) const {
  Json out = Json::object();
  for (const Attribute& a : attributes_) {
    Json* at = &out;
    for (const std::string& name : a.path) {
      if (!at->is_object()) *at = Json::object();  // an attribute of this very name came before: the later one wins
      at = &(*at)[text(name)];
    }
    *at = text(a.source == Source::User   ? facts.user
               : a.source == Source::Hash ? facts.hash
                                          : a.value.expand(variables));
  }
  out["tls"] = facts.tls;
  if (command == PolicyCommand::Report) {
    out["success"] = facts.success;
    out["policy_reject"] = facts.policy_reject;
    out["fail_type"] = facts.fail_type;
  }
  return out.dump();
}

PolicyAnswer parse_policy_answer(int http_status, std::string_view body) {
  PolicyAnswer out;
  out.failed = true;
  if (http_status == 0) return out.message = body, out;
  if (http_status != 200) return out.message = "HTTP status " + std::to_string(http_status), out;
  const Json json = Json::parse(body, nullptr, false);
  if (!json.is_object()) return out.message = "the answer is no JSON object", out;
  const auto status = json.find("status");
  if (status == json.end() || !status->is_number_integer())
    return out.message = "the answer has no number as status", out;
  out.failed = false;
  out.status = status->get<int64_t>();
  if (const auto message = json.find("msg"); message != json.end() && message->is_string())
    out.message = printable(message->get<std::string>(), kMaxMessage);
  return out;
}

}  // namespace postern
