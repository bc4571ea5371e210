#include "auth/db_ldap_text.h"

#include <utility>

namespace postern {

namespace {

bool stays(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '@' || c == '.' ||
         c == '_' || c == '-';
}

}  // namespace

std::string escape_ldap(std::string_view value) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (stays(c)) out += c;
    else out.append({'\\', kHex[byte >> 4], kHex[byte & 15]});
  }
  return out;
}

Result<LdapTemplate> LdapTemplate::compile(std::string_view text) {
  auto compiled = Template::compile(text);
  if (!compiled) return Error(compiled.error());
  LdapTemplate out;
  for (Template::Part& part : compiled->parts()) {
    if (!part.variable) {
      out.rest_ += part.literal;
      continue;
    }
    Value value;
    value.before = std::exchange(part.literal, {});
    value.value.parts().push_back(std::move(part));
    out.values_.push_back(std::move(value));
  }
  return out;
}

std::string LdapTemplate::expand(const Variables& variables) const {
  std::string out;
  for (const Value& v : values_) out.append(v.before).append(escape_ldap(v.value.expand(variables)));
  return out += rest_;
}

void LdapTemplate::add_uses_to(std::vector<VariableUse>& uses) const {
  for (const Value& v : values_) add_uses(v.value, uses);
}

}  // namespace postern
