#include "auth/db_ldap_attributes.h"

#include <algorithm>

#include "base/text.h"

namespace postern {

namespace {

// An attribute's value is compiled as a passdb field of this name; no field's name begins so.
constexpr char kMark = '\1';
constexpr std::string_view kDn = "\1";  // behind the mark

bool is_modifier(char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.'; }

struct Spelling {
  std::string_view text;  // behind '%' and modifiers
  std::string (*as)(std::string_view attribute);
};
std::string own(std::string_view attribute) { return std::string("{passdb:") + kMark + std::string(attribute) + "}"; }
std::string other(std::string_view) { return std::string("{passdb:") + kMark; }
std::string dn(std::string_view) { return std::string("{passdb:") + kMark + std::string(kDn); }
constexpr Spelling kSpellings[] = {{"$", own}, {"{ldap:", other}, {"{ldap_dn", dn}};

// The variables that only an LDAP entry has, in words that Template knows.
std::string rewritten(std::string_view text, std::string_view attribute) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    out += text[at];
    if (text[at++] != '%') continue;
    if (text.substr(at, 1) == "%") {
      out += text[at++];
      continue;
    }
    for (; at < text.size() && is_modifier(text[at]); ++at) out += text[at];
    for (const Spelling& s : kSpellings) {
      if (!text.substr(at).starts_with(s.text)) continue;
      out += s.as(attribute);
      at += s.text.size();
      break;
    }
  }
  return out;
}

bool is_of_entry(Variable variable, std::string_view argument) {
  return variable == Variable::PassdbField && !argument.empty() && argument[0] == kMark;
}

// Commas in braces belong to a variable.
std::vector<std::string_view> split_items(std::string_view list) {
  std::vector<std::string_view> out;
  size_t start = 0, depth = 0;
  for (size_t at = 0; at <= list.size(); ++at) {
    const char c = at < list.size() ? list[at] : ',';
    if (c == '{') ++depth;
    if (c == '}' && depth > 0) --depth;
    if (at < list.size() && (c != ',' || depth > 0)) continue;
    if (const auto item = trim(list.substr(start, at - start)); !item.empty()) out.push_back(item);
    start = at + 1;
  }
  return out;
}

// RFC 4512 section 2.5: a name or an OID, with options.
bool is_attribute(std::string_view name) {
  return name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.;_") ==
         std::string_view::npos;
}

// The entry's attributes beside the request's variables.
class EntryVariables final : public Variables {
 public:
  EntryVariables(const LdapEntry& entry, const Variables& others) : entry_(entry), others_(others) {}
  std::string value(Variable variable, std::string_view argument) const override {
    if (!is_of_entry(variable, argument)) return others_.value(variable, argument);
    argument.remove_prefix(1);
    if (argument == kDn) return entry_.dn;
    const auto* values = entry_.find(argument);
    return values == nullptr ? std::string() : values->front();
  }

 private:
  const LdapEntry& entry_;
  const Variables& others_;
};

bool is_password(std::string_view field) { return field == "password" || field == "password_noscheme"; }

}  // namespace

const std::vector<std::string>* LdapEntry::find(std::string_view attribute) const {
  const auto found = values.find(to_lower(attribute));
  return found == values.end() || found->second.empty() ? nullptr : &found->second;
}

Result<LdapAttributes> LdapAttributes::parse(std::string_view list) {
  LdapAttributes out;
  if (list.find(kMark) != std::string_view::npos) return Error("control character");
  for (std::string_view item : split_items(list))
    if (const Status added = out.add(item); !added) return Error(printable(item) + ": " + added.error());
  return out;
}

Status LdapAttributes::add(std::string_view text) {
  const size_t equal = std::min(text.find('='), text.size());
  const std::string_view attribute = trim(text.substr(0, equal));
  if (attribute.starts_with('@')) return Error("searches from inside a search are not supported");
  if (!is_attribute(attribute)) return Error("not the name of an attribute");
  const std::string_view rest = equal < text.size() ? text.substr(equal + 1) : std::string_view();
  const size_t second = std::min(rest.find('='), rest.size());
  const bool plain = second == rest.size();
  Item item;
  item.attribute = to_lower(attribute);
  item.field = trim(rest.substr(0, second));
  item.plain = plain && !attribute.empty();
  want(attribute);
  if (item.field.empty()) return attribute.empty() || !plain ? Status(Error("a field's name is missing")) : Status();
  auto compiled = Template::compile(rewritten(plain ? std::string_view() : rest.substr(second + 1), attribute));
  if (!compiled) return Error(compiled.error());
  item.text = std::move(*compiled);
  want_all_of(item.text, item);
  items_.push_back(std::move(item));
  return {};
}

void LdapAttributes::want_all_of(const Template& text, Item& item) {
  item.needs_entry = !item.attribute.empty();
  text.for_each_use([&](Variable variable, std::string_view argument) {
    if (!is_of_entry(variable, argument)) return;
    item.needs_entry = true;
    if (argument.substr(1) != kDn) want(argument.substr(1));
  });
}

void LdapAttributes::want(std::string_view attribute) {
  const auto same = [&](const std::string& have) { return iequals(have, attribute); };
  if (!attribute.empty() && std::none_of(names_.begin(), names_.end(), same)) names_.emplace_back(attribute);
}

void LdapAttributes::add_uses_to(std::vector<VariableUse>& uses) const {
  const size_t before = uses.size();
  for (const Item& item : items_) add_uses(item.text, uses);
  const auto own = [](const VariableUse& use) { return is_of_entry(use.variable, use.argument); };
  uses.erase(std::remove_if(uses.begin() + static_cast<ptrdiff_t>(before), uses.end(), own), uses.end());
}

void LdapAttributes::fill(const LdapEntry& entry, const Variables& variables, RowBuilder& row,
                          std::vector<std::string>& several) const {
  const EntryVariables all(entry, variables);
  for (const Item& item : items_) {
    const auto* values = entry.find(item.attribute);
    if (values == nullptr && !item.attribute.empty()) continue;
    if (values != nullptr && values->size() > 1 && !is_password(item.field)) several.push_back(item.attribute);
    if (item.plain)
      for (size_t i = 0; i < (is_password(item.field) ? values->size() : 1); ++i) row.add(item.field, (*values)[i]);
    else row.add(item.field, item.text.expand(all));
  }
}

void LdapAttributes::fill_constants(const Variables& variables, RowBuilder& row) const {
  for (const Item& item : items_)
    if (!item.needs_entry) row.add(item.field, item.text.expand(variables));
}

void LdapAttributes::drop_password() {
  std::erase_if(items_, [](const Item& item) { return is_password(item.field); });
  names_.clear();
  for (Item& item : items_) {
    want(item.attribute);
    want_all_of(item.text, item);
  }
}

}  // namespace postern
