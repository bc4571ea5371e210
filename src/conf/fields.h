// "name=value name2=value2 name3": the notation of passdb fields in args, default_fields, override_fields.
#ifndef POSTERN_CONF_FIELDS_H
#define POSTERN_CONF_FIELDS_H

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace postern {

using FieldList = std::vector<std::pair<std::string, std::string>>;

// In order, duplicates kept. A name without "=" has an empty value: it is there, which is what counts (AUTH-9).
FieldList parse_fields(std::string_view text);
// Text that parses back; values cannot hold blanks.
std::string fields_text(const FieldList& fields);

}  // namespace postern

#endif
