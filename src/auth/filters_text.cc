// Filters that take and give text.
#include <algorithm>

#include "auth/variable_filters.h"
#include "base/text.h"

namespace postern {

namespace {

void replace_all(std::string& text, std::string_view what, std::string_view by) {
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
    text.replace(at, what.size(), by);
}

// Where `offset`, from the end when it is negative, stands in a text of `size`.
size_t position(int64_t offset, size_t size) {
  const auto end = static_cast<int64_t>(size);
  return static_cast<size_t>(std::clamp<int64_t>(offset < 0 ? std::max<int64_t>(offset, -end) + end : offset, 0, end));
}

// How much to put before or behind, for filters that bring a text to a width.
std::string filling(VariableValue& value, const FilterCall& call) {
  const auto width = call.number(0);
  const std::string filler = call.text(1, "0");
  if (!width || *width < 0 || *width > static_cast<int64_t>(Template::kMaxValue) || filler.empty()) {
    value.missing = true;
    return {};
  }
  std::string out;
  while (out.size() + value.text.size() < static_cast<size_t>(*width)) out += filler;
  return out.substr(
      0, value.text.size() < static_cast<size_t>(*width) ? static_cast<size_t>(*width) - value.text.size() : 0);
}

}  // namespace

void filter_lower(VariableValue& value, const FilterCall&) { value.text = to_lower(value.text); }
void filter_upper(VariableValue& value, const FilterCall&) { value.text = to_upper(value.text); }

void filter_escape_quotes(VariableValue& value, const FilterCall&) {
  std::string out;
  for (char c : value.text) {
    if (c == '"' || c == '\\' || c == '\'') out += '\\';
    out += c;
  }
  value.text = std::move(out);
}

void filter_reverse(VariableValue& value, const FilterCall&) { std::reverse(value.text.begin(), value.text.end()); }

// At the end alone, as 2.3 does.
void filter_trim(VariableValue& value, const FilterCall&) {
  value.text.resize(value.text.find_last_not_of(" \t\r\n") + 1);
}

void filter_username(VariableValue& value, const FilterCall&) { value.text = std::string(user_part(value.text)); }
void filter_domain(VariableValue& value, const FilterCall&) { value.text = std::string(domain_part(value.text)); }

void filter_default(VariableValue& value, const FilterCall& call) {
  if (value.missing || value.text.empty()) value = {call.text(0)};
}

void filter_literal(VariableValue& value, const FilterCall& call) { value = {call.text(0)}; }

void filter_concat(VariableValue& value, const FilterCall& call) {
  value.missing = false;
  for (size_t i = 0; i < call.count(); ++i) value.text += call.text(i);
}

// A negative length leaves so many characters off the end.
void filter_substr(VariableValue& value, const FilterCall& call) {
  const auto offset = call.number(0), length = call.number(1, INT64_MAX);
  if (!offset || !length) {
    value.missing = true;
    return;
  }
  std::string rest = value.text.substr(position(*offset, value.text.size()));
  const auto size = static_cast<int64_t>(rest.size());
  const int64_t take = *length < 0 ? size + std::max(*length, -size) : std::min(*length, size);
  value.text = rest.substr(0, static_cast<size_t>(take));
}

// 2.3: as substr, but to leave more characters off the end than there are leaves none off.
void filter_cut(VariableValue& value, const FilterCall& call) {
  std::string rest = value.text.substr(position(call.number(0).value_or(0), value.text.size()));
  const int64_t width = call.number(1).value_or(0), size = static_cast<int64_t>(rest.size());
  value.text = rest.substr(0, static_cast<size_t>(width >= 0 ? width : width < -size ? size : size + width));
}

// 2.3: a width that is written with a 0 in front pads, and cuts nothing.
void filter_pad(VariableValue& value, const FilterCall& call) {
  std::string rest = value.text.substr(position(call.number(0).value_or(0), value.text.size()));
  const auto width = static_cast<size_t>(call.number(1).value_or(0));
  value.text = std::string(rest.size() < width ? width - rest.size() : 0, '0') + rest;
}

void filter_lfill(VariableValue& value, const FilterCall& call) { value.text.insert(0, filling(value, call)); }
void filter_rfill(VariableValue& value, const FilterCall& call) { value.text += filling(value, call); }

void filter_index(VariableValue& value, const FilterCall& call) {
  const std::string separator = call.text(0);
  const auto nth = call.number(1);
  value.missing = separator.empty() || !nth;
  if (value.missing) return;
  std::vector<std::string> parts;
  for (size_t at = 0; at != std::string::npos;) {
    const size_t end = value.text.find(separator, at);
    parts.push_back(value.text.substr(at, end == std::string::npos ? end : end - at));
    at = end == std::string::npos ? end : end + separator.size();
  }
  const auto count = static_cast<int64_t>(parts.size());
  const int64_t i = *nth < 0 ? std::max(*nth, -count - 1) + count : *nth;
  value.missing = i < 0 || i >= count;
  value.text = value.missing ? std::string() : parts[static_cast<size_t>(i)];
}

// A list in the form of Dovecot's auth protocol: items behind TABs, each TAB-escaped.
void filter_list(VariableValue& value, const FilterCall& call) {
  const std::string separator = call.text(0, ",");
  std::string out;
  for (std::string_view item : split_fields(value.text, '\t')) {
    const auto plain = tab_unescape(item);
    if (!plain) {
      value.missing = true;
      return;
    }
    out += (item.data() == value.text.data() ? "" : separator) + *plain;
  }
  value.text = std::move(out);
}

void filter_ldap_dn(VariableValue& value, const FilterCall& call) {
  filter_ldap_dn_23(value, call);
  value.text.insert(0, "dc=");
}

void filter_ldap_dn_23(VariableValue& value, const FilterCall&) { replace_all(value.text, ".", ",dc="); }

// Bytes that are no UTF-8 become question marks.
void filter_text(VariableValue& value, const FilterCall&) {
  std::string out;
  for (size_t at = 0; at < value.text.size();) {
    const size_t length = utf8_length(std::string_view(value.text).substr(at));
    if (length == 0) out += '?';
    else out.append(value.text, at, length);
    at += std::max<size_t>(length, 1);
  }
  value.text = std::move(out);
  value.binary = false;
}

// In 2.4 it keeps what follows from being escaped. Escaping belongs to who uses the value, so here it does nothing
// (AUTH-19).
void filter_safe(VariableValue&, const FilterCall&) {}

}  // namespace postern
