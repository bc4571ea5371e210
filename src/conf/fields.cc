#include "conf/fields.h"

#include "base/text.h"

namespace postern {

FieldList parse_fields(std::string_view text) {
  FieldList fields;
  for (std::string_view word : split_words(text, " \t\r\n")) {
    const size_t equals = word.find('=');
    if (equals == std::string_view::npos) fields.emplace_back(word, "");
    else if (equals > 0) fields.emplace_back(word.substr(0, equals), word.substr(equals + 1));
  }
  return fields;
}

std::string fields_text(const FieldList& fields) {
  std::string out;
  for (const auto& [name, value] : fields) {
    if (!out.empty()) out += ' ';
    out += name;
    if (!value.empty()) out += '=' + value;
  }
  return out;
}

}  // namespace postern
