#include "auth/username.h"

#include <fmt/core.h>

#include "base/text.h"

namespace postern {

namespace {

class NameFirst final : public Variables {
 public:
  NameFirst(std::string_view name, const Variables& others) : name_(name), others_(others) {}
  std::string value(Variable variable, std::string_view argument) const override {
    return is_name_variable(variable) ? name_variable(variable, name_) : others_.value(variable, argument);
  }

 private:
  std::string_view name_;
  const Variables& others_;
};

}  // namespace

bool is_name_variable(Variable v) { return v <= Variable::DomainLast; }

std::string name_variable(Variable v, std::string_view user) {
  const std::string_view domain = domain_part(user);
  if (v == Variable::User) return std::string(user);
  if (v == Variable::Username) return std::string(user_part(user));
  if (v == Variable::Domain) return std::string(domain);
  if (v == Variable::DomainFirst) return std::string(user_part(domain));
  if (v == Variable::DomainLast) return std::string(domain.substr(domain.rfind('@') + 1));
  return {};
}

Result<UsernameRules> UsernameRules::compile(const Settings& s) {
  UsernameRules rules;
  rules.allowed_.fill(s.chars.empty());
  for (char c : s.chars) rules.allowed_[static_cast<unsigned char>(c)] = true;
  rules.allowed_[0] = false;
  for (size_t i = 0; i < 256; ++i) rules.translation_[i] = static_cast<char>(i);
  if (s.translation.size() % 2 != 0) return Error("auth_username_translation: pairs of characters are wanted");
  for (size_t i = 0; i < s.translation.size(); i += 2)
    rules.translation_[static_cast<unsigned char>(s.translation[i])] = s.translation[i + 1];
  auto format = Template::compile(s.format);
  if (!format)
    return Error("auth_username_format: " + format.error() + "; accepted: the %-variables of postern.conf(5)");
  if (format->uses(Variable::Password)) return Error("auth_username_format: a name must not be made of the password");
  rules.format_ = std::move(*format);
  rules.realm_ = s.default_realm;
  rules.separator_ = s.master_separator.empty() ? '\0' : s.master_separator[0];
  return rules;
}

UsernameRules::Split UsernameRules::split(std::string_view raw) const {
  const size_t at = separator_ == 0 ? std::string_view::npos : raw.find(separator_);
  if (at == std::string_view::npos) return {raw, {}, false};
  return {raw.substr(0, at), raw.substr(at + 1), true};
}

Result<std::string> UsernameRules::normalize(std::string_view raw, const Variables& others) const {
  if (raw.empty()) return Error("Empty username");
  std::string name(raw);
  if (!realm_.empty() && name.find('@') == std::string::npos) name += '@' + realm_;
  for (char& c : name) {
    c = translation_[static_cast<unsigned char>(c)];
    if (!allowed_[static_cast<unsigned char>(c)])
      return Error(fmt::format("Username character disallowed by auth_username_chars: {:#04x} (username: {})",
                               static_cast<unsigned char>(c), printable(name, 80)));
  }
  if (format_.parts().empty()) return name;
  std::string formatted = format_.expand(NameFirst(name, others));
  if (formatted.empty()) return Error("auth_username_format made an empty username of " + printable(name, 80));
  return formatted;
}

}  // namespace postern
