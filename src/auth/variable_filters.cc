#include "auth/variable_filters.h"

#include <charconv>
#include <iterator>

namespace postern {

namespace {

// `if` has four parameters as a filter, five without an input: the first is left out then.
constexpr FilterRow kFilters[] = {
    {.name = "lookup", .apply = filter_literal, .parameters = "!name", .needed = 1, .without_input = true},
    {.name = "literal", .apply = filter_literal, .parameters = "value", .needed = 1, .without_input = true},
    {.name = "calculate", .apply = filter_calculate, .parameters = "!operator #value", .needed = 2},
    {.name = "concat", .apply = filter_concat, .parameters = "value...", .needed = 1, .without_input = true},
    {.name = "upper", .apply = filter_upper},
    {.name = "lower", .apply = filter_lower},
    {.name = "hash", .apply = filter_hash, .parameters = "!method !#rounds salt", .needed = 1},
    {.name = "md5", .apply = filter_digest, .parameters = "!#rounds salt", .digest = DigestKind::Md5},
    {.name = "sha1", .apply = filter_digest, .parameters = "!#rounds salt", .digest = DigestKind::Sha1},
    {.name = "sha256", .apply = filter_digest, .parameters = "!#rounds salt", .digest = DigestKind::Sha256},
    {.name = "sha384", .apply = filter_digest, .parameters = "!#rounds salt", .digest = DigestKind::Sha384},
    {.name = "sha512", .apply = filter_digest, .parameters = "!#rounds salt", .digest = DigestKind::Sha512},
    {.name = "base64", .apply = filter_base64, .parameters = "!#pad !#url"},
    {.name = "unbase64", .apply = filter_unbase64, .parameters = "!#pad !#url"},
    {.name = "hex", .apply = filter_hex, .parameters = "#width"},
    {.name = "unhex", .apply = filter_unhex},
    {.name = "hexlify", .apply = filter_hexlify, .parameters = "#width"},
    {.name = "unhexlify", .apply = filter_unhexlify},
    {.name = "default", .apply = filter_default, .parameters = "value", .without_input = true},
    {.name = "reverse", .apply = filter_reverse},
    {.name = "truncate", .apply = filter_truncate, .parameters = "#len #bits"},
    {.name = "substr", .apply = filter_substr, .parameters = "#offset #length", .needed = 1},
    {.name = "ldap_dn", .apply = filter_ldap_dn},
    {.name = "if",
     .apply = filter_if,
     .parameters = "left operator right true false",
     .needed = 4,
     .without_input = true},
    {.name = "switch", .apply = filter_switch, .parameters = "case...", .needed = 2},
    {.name = "regexp", .apply = filter_regexp, .parameters = "!expression replacement", .needed = 2},
    {.name = "lenumber", .apply = filter_lenumber},
    {.name = "benumber", .apply = filter_benumber},
    {.name = "index", .apply = filter_index, .parameters = "separator #nth", .needed = 2},
    {.name = "username", .apply = filter_username},
    {.name = "domain", .apply = filter_domain},
    {.name = "list", .apply = filter_list, .parameters = "separator"},
    {.name = "lfill", .apply = filter_lfill, .parameters = "#width filler", .needed = 1},
    {.name = "rfill", .apply = filter_rfill, .parameters = "#width filler", .needed = 1},
    {.name = "text", .apply = filter_text},
    {.name = "encrypt", .apply = nullptr},
    {.name = "decrypt", .apply = nullptr},
    {.name = "safe", .apply = filter_safe},
    // 2.3's
    {.name = "%L", .apply = filter_lower},
    {.name = "%U", .apply = filter_upper},
    {.name = "%E", .apply = filter_escape_quotes},
    {.name = "%X", .apply = filter_hex_23},
    {.name = "%R", .apply = filter_reverse},
    {.name = "%H", .apply = filter_old_hash, .parameters = "#modulo #width"},
    {.name = "%N", .apply = filter_new_hash, .parameters = "#modulo #width"},
    {.name = "%M", .apply = filter_md5_23},
    {.name = "%D", .apply = filter_ldap_dn_23},
    {.name = "%T", .apply = filter_trim},
    {.name = "%cut", .apply = filter_cut, .parameters = "#offset #width", .needed = 2},
    {.name = "%pad", .apply = filter_pad, .parameters = "#offset #width", .needed = 2},
    {.name = "%hash", .apply = filter_hash_23, .parameters = "!method !#rounds salt !#truncate !format", .needed = 1},
};

}  // namespace

const FilterRow* find_filter(std::string_view name) {
  for (const FilterRow& row : kFilters)
    if (row.name == name) return &row;
  return nullptr;
}

const FilterRow* find_modifier(char letter) {
  const char name[] = {'%', letter};
  return find_filter({name, 2});
}

std::string FilterCall::text(size_t i, std::string_view otherwise) const {
  return has(i) ? filter_.arguments[i]->expand(variables_) : std::string(otherwise);
}

std::optional<int64_t> FilterCall::number(size_t i, std::optional<int64_t> otherwise) const {
  return has(i) ? parse_signed(text(i)) : otherwise;
}

std::optional<int64_t> parse_signed(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace postern
