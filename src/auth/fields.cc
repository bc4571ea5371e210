#include "auth/fields.h"

#include <algorithm>

#include "base/secret.h"

namespace postern {

namespace {

enum class Mode : uint8_t { Set, IfAbsent, Remove };
struct SuffixRow {
  std::string_view suffix;
  Mode mode;
};
constexpr SuffixRow kSuffixes[] = {
    {":protected", Mode::IfAbsent}, {":default", Mode::IfAbsent}, {":remove", Mode::Remove}};

const SuffixRow* suffix_of(std::string_view name) {
  for (const SuffixRow& row : kSuffixes)
    if (name.size() > row.suffix.size() && name.substr(name.size() - row.suffix.size()) == row.suffix) return &row;
  return nullptr;
}

}  // namespace

std::string_view field_base_name(std::string_view name) {
  const SuffixRow* row = suffix_of(name);
  return row == nullptr ? name : name.substr(0, name.size() - row->suffix.size());
}

FieldSet::~FieldSet() {
  for (auto& [name, value] : fields_)
    if (name == "pass") secure_zero(value.data(), value.size());
}

const std::string* FieldSet::find(std::string_view name) const {
  for (const auto& [have, value] : fields_)
    if (have == name) return &value;
  return nullptr;
}

std::string_view FieldSet::text(std::string_view name) const {
  const std::string* value = find(name);
  return value == nullptr ? std::string_view() : *value;
}

void FieldSet::set(std::string_view name, std::string_view value) {
  for (auto& [have, old] : fields_)
    if (have == name) {
      old = value;
      return;
    }
  fields_.emplace_back(name, value);
}

void FieldSet::remove(std::string_view name) {
  std::erase_if(fields_, [&](const auto& field) { return field.first == name; });
}

void FieldSet::apply(std::string_view name, std::string_view value) {
  const SuffixRow* row = suffix_of(name);
  const Mode mode = row == nullptr ? Mode::Set : row->mode;
  const std::string_view base = field_base_name(name);
  if (mode == Mode::Remove) remove(base);
  else if (mode == Mode::Set || !has(base)) set(base, value);
}

}  // namespace postern
