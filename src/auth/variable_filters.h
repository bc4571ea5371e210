// What stands behind a '|' in a template, and 2.3's modifiers and functions: one table (AUTH-33).
#ifndef POSTERN_AUTH_VARIABLE_FILTERS_H
#define POSTERN_AUTH_VARIABLE_FILTERS_H

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "auth/variables.h"
#include "crypt/digest.h"

namespace postern {

// A value on its way through filters.
struct VariableValue {
  std::string text;
  bool missing = false;  // no filter has made one; only what needs no input, or has something instead, goes on
  bool binary = false;   // a result in bytes: shown in hex if no later filter makes a text of it
};

// One filter at work: its arguments with their values.
class FilterCall {
 public:
  FilterCall(const VariableFilter& filter, const Variables& variables) : filter_(filter), variables_(variables) {}
  const FilterRow& row() const { return *filter_.row; }
  const Pattern* pattern() const { return filter_.pattern.get(); }
  size_t count() const { return filter_.arguments.size(); }
  bool has(size_t i) const { return i < count() && filter_.arguments[i] != nullptr; }
  std::string text(size_t i, std::string_view otherwise = {}) const;
  // Nothing for what is no number of 64 bits with sign.
  std::optional<int64_t> number(size_t i, std::optional<int64_t> otherwise = std::nullopt) const;

 private:
  const VariableFilter& filter_;
  const Variables& variables_;
};

// Changes the value; sets `missing` where it cannot.
using ApplyFilter = void (*)(VariableValue& value, const FilterCall& call);

struct FilterRow {
  std::string_view name;  // 2.4's; those of 2.3 alone begin with '%'
  ApplyFilter apply;      // null: known, but not there
  // Names in their order: "#x" is a number, "!x" must not depend on variables, "x..." may come again and again.
  std::string_view parameters = {};
  size_t needed = 0;           // so many parameters must be given
  bool without_input = false;  // may stand first, and runs when the value is missing
  DigestKind digest = DigestKind::Md5;
};

const FilterRow* find_filter(std::string_view name);
// 2.3's modifier of this letter.
const FilterRow* find_modifier(char letter);

std::optional<int64_t> parse_signed(std::string_view text);

// POSIX extended, without back-references, which can take for ever.
class Pattern {
 public:
  static constexpr size_t kMaxPattern = 512, kMaxSubject = 1024, kMaxGroups = 10;
  static Result<std::shared_ptr<const Pattern>> compile(const std::string& text);
  // Whether the text matches somewhere; false for a text beyond kMaxSubject.
  bool matches(const std::string& text) const;
  // The first match becomes `replacement`, in which \0 to \9 are groups.
  std::string replace(const std::string& text, std::string_view replacement) const;

 private:
  struct Compiled;
  std::shared_ptr<Compiled> compiled_;
};

// "eq", "==", "*", "~" ...: whether 2.3's and 2.4's `if` have it.
bool is_comparison(std::string_view name);

// filters_text.cc
void filter_lower(VariableValue& value, const FilterCall& call);
void filter_upper(VariableValue& value, const FilterCall& call);
void filter_escape_quotes(VariableValue& value, const FilterCall& call);
void filter_reverse(VariableValue& value, const FilterCall& call);
void filter_trim(VariableValue& value, const FilterCall& call);
void filter_username(VariableValue& value, const FilterCall& call);
void filter_domain(VariableValue& value, const FilterCall& call);
void filter_default(VariableValue& value, const FilterCall& call);
void filter_literal(VariableValue& value, const FilterCall& call);
void filter_concat(VariableValue& value, const FilterCall& call);
void filter_substr(VariableValue& value, const FilterCall& call);
void filter_cut(VariableValue& value, const FilterCall& call);
void filter_pad(VariableValue& value, const FilterCall& call);
void filter_lfill(VariableValue& value, const FilterCall& call);
void filter_rfill(VariableValue& value, const FilterCall& call);
void filter_index(VariableValue& value, const FilterCall& call);
void filter_list(VariableValue& value, const FilterCall& call);
void filter_ldap_dn(VariableValue& value, const FilterCall& call);
void filter_ldap_dn_23(VariableValue& value, const FilterCall& call);
void filter_text(VariableValue& value, const FilterCall& call);
void filter_safe(VariableValue& value, const FilterCall& call);

// filters_bytes.cc
void filter_hash(VariableValue& value, const FilterCall& call);
void filter_digest(VariableValue& value, const FilterCall& call);
void filter_hash_23(VariableValue& value, const FilterCall& call);
void filter_md5_23(VariableValue& value, const FilterCall& call);
void filter_truncate(VariableValue& value, const FilterCall& call);
void filter_hexlify(VariableValue& value, const FilterCall& call);
void filter_unhexlify(VariableValue& value, const FilterCall& call);
void filter_base64(VariableValue& value, const FilterCall& call);
void filter_unbase64(VariableValue& value, const FilterCall& call);

// filters_number.cc
void filter_calculate(VariableValue& value, const FilterCall& call);
void filter_hex(VariableValue& value, const FilterCall& call);
void filter_unhex(VariableValue& value, const FilterCall& call);
void filter_lenumber(VariableValue& value, const FilterCall& call);
void filter_benumber(VariableValue& value, const FilterCall& call);
void filter_hex_23(VariableValue& value, const FilterCall& call);
void filter_old_hash(VariableValue& value, const FilterCall& call);
void filter_new_hash(VariableValue& value, const FilterCall& call);
// `text` brought to `width` characters: cut, or padded with zeros, at the right when it is negative; 0 leaves it.
std::string fit_digits(std::string text, int64_t width);

// filters_choice.cc
void filter_if(VariableValue& value, const FilterCall& call);
void filter_switch(VariableValue& value, const FilterCall& call);
void filter_regexp(VariableValue& value, const FilterCall& call);

}  // namespace postern

#endif
