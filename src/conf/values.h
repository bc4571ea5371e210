// Values of settings: from the file, to text that reads back, and what is accepted, in words.
#ifndef POSTERN_CONF_VALUES_H
#define POSTERN_CONF_VALUES_H

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "conf/node.h"
#include "conf/row.h"
#include "conf/settings.h"

namespace postern {

// The value of `node` for `row`; the error says what is wrong and what is accepted.
Result<SettingValue> parse_value(const Row& row, const Node& node);
// The same from a string as it could stand in quotes: defaults, values of older files.
Result<SettingValue> parse_value_text(const Row& row, std::string_view text);

// libconfig text of a value: "30 secs" in quotes, [ "a", "b" ], true.
std::string value_text(const Row& row, const SettingValue& value);
std::string quoted(std::string_view text);
// "a time from 1 sec to 1 day, such as \"30 secs\"".
std::string accepted_text(const Row& row);

// "yes", "true", "on", "y", "1" and their opposites.
Result<bool> parse_yes_no(std::string_view text);
// "30 secs" -> 30000. Units: any beginning of secs, seconds, mins, minutes, hours, days, weeks, msecs,
// milliseconds; only 0 may go without.
Result<int64_t> parse_time(std::string_view text);
// "64 M" -> 67108864; units B, K, M, G, T.
Result<int64_t> parse_size(std::string_view text);
std::string time_text(int64_t milliseconds);
std::string size_text(int64_t bytes);

}  // namespace postern

#endif
