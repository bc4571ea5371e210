#include "conf/values.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/address.h"
#include "base/text.h"
#include "conf/fields.h"

namespace postern {
namespace {

using Value = Result<SettingValue>;

struct Unit {
  std::string_view name;
  int64_t factor;
};

// First match wins: "m" is minutes, "ms" and "mil" are milliseconds.
constexpr Unit kTimeUnits[] = {
    {"secs", kSecond}, {"seconds", kSecond}, {"mins", kMinute}, {"minutes", kMinute}, {"hours", kHour},
    {"days", kDay},    {"weeks", 7 * kDay},  {"ms", 1},         {"msecs", 1},         {"milliseconds", 1},
};
constexpr Unit kSizeUnits[] = {
    {"bytes", 1},  {"kbytes", kKiB}, {"mbytes", kMiB}, {"gbytes", kGiB}, {"tbytes", 1024 * kGiB},
    {"kib", kKiB}, {"mib", kMiB},    {"gib", kGiB},
};

template <size_t N>
int64_t factor_of(const Unit (&units)[N], std::string_view word) {
  const std::string lower = to_lower(word);
  for (const Unit& unit : units)
    if (!lower.empty() && unit.name.starts_with(lower)) return unit.factor;
  return 0;
}

// "30 secs" -> 30 and "secs"; nothing without leading digits.
std::optional<std::pair<int64_t, std::string_view>> split_number(std::string_view text) {
  text = trim(text);
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = parse_number(text.substr(0, digits), INT64_MAX);
  if (!number) return std::nullopt;
  return std::pair{static_cast<int64_t>(*number), trim(text.substr(digits))};
}

Result<int64_t> multiplied(int64_t number, int64_t factor, std::string_view what) {
  int64_t product = 0;
  if (__builtin_mul_overflow(number, factor, &product)) return Error(fmt::format("is too large a {}", what));
  return product;
}

template <size_t N>
std::string with_unit(int64_t value, const Unit (&units)[N]) {
  for (const Unit& unit : units)
    if (value != 0 && value % unit.factor == 0) return fmt::format("{} {}", value / unit.factor, unit.name);
  return std::to_string(value);
}

std::string joined(std::string_view words, std::string_view separator) {
  return fmt::format("{}", fmt::join(split_words(words), separator));
}

Error wrong(const Row& row, std::string_view what) {
  return Error(fmt::format("{}; accepted: {}", what, accepted_text(row)));
}

bool is_unlimited(const Row& row, std::string_view text) {
  return row.limits.unlimited && (iequals(text, "unlimited") || iequals(text, "infinite"));
}

std::string range_text(const Limits& limits, std::string (*show)(int64_t)) {
  if (limits.max == INT64_MAX) return "from " + show(limits.min);
  return fmt::format("from {} to {}", show(limits.min), show(limits.max));
}

Value in_range(const Row& row, int64_t number) {
  if (number < row.limits.min) return wrong(row, "is too small");
  if (number > row.limits.max) return wrong(row, "is too large");
  return SettingValue(number);
}

// --- what is accepted -------------------------------------------------------------

std::string number_show(int64_t number) { return std::to_string(number); }

std::string flag_accepts(const Row&) { return "true, false, \"yes\", \"no\""; }
std::string number_accepts(const Row& row) { return "a number " + range_text(row.limits, number_show); }
std::string size_accepts(const Row& row) { return "a size " + range_text(row.limits, size_text) + " such as \"64 M\""; }
std::string time_accepts(const Row& row) {
  return "a time " + range_text(row.limits, time_text) + " such as \"30 secs\"";
}
std::string mode_accepts(const Row&) { return "octal digits in quotes such as \"0660\""; }
std::string text_accepts(const Row& row) {
  return row.limits.max == INT64_MAX ? "a string" : fmt::format("a string of at most {} bytes", row.limits.max);
}
std::string path_accepts(const Row& row) {
  std::string out = "an absolute path";
  if (!row.limits.words.empty()) out += " or " + joined(row.limits.words, ", ");
  return row.limits.inline_pem ? out + ", or the PEM text" : out;
}
std::string choice_accepts(const Row& row) {
  const std::string words = joined(row.limits.words, ", ");
  return row.limits.cut ? words + ", each also as WORD:LENGTH" : words;
}
std::string list_accepts(const Row&) { return "an array of strings, or one string split at blanks and commas"; }
std::string networks_accept(const Row&) {
  return "addresses or networks such as \"192.0.2.0/24\", in an array or one string";
}
std::string words_accept(const Row& row) { return "a list of " + joined(row.limits.words, ", "); }
std::string pairs_accept(const Row&) { return "fields such as \"proxy=y host=192.0.2.1\""; }

// --- from a string in quotes ---------------------------------------------------

Value flag_from(const Row& row, std::string_view text) {
  const auto flag = parse_yes_no(text);
  return flag ? Value(SettingValue(*flag)) : wrong(row, flag.error());
}

Value number_from(const Row& row, std::string_view text) {
  if (is_unlimited(row, text)) return SettingValue(int64_t{0});
  const auto number = parse_number(trim(text), INT64_MAX);
  if (!number) return wrong(row, "is not a number");
  return in_range(row, static_cast<int64_t>(*number));
}

Value size_from(const Row& row, std::string_view text) {
  if (is_unlimited(row, text)) return SettingValue(int64_t{0});
  const Result<int64_t> size = parse_size(text);
  return size ? in_range(row, *size) : wrong(row, size.error());
}

Value time_from(const Row& row, std::string_view text) {
  if (is_unlimited(row, text)) return SettingValue(int64_t{0});
  const Result<int64_t> time = parse_time(text);
  return time ? in_range(row, *time) : wrong(row, time.error());
}

Value mode_from(const Row& row, std::string_view text) {
  const bool octal = !text.empty() && text.size() <= 5 && text.find_first_not_of("01234567") == std::string_view::npos;
  const int64_t mode = octal ? std::stol(std::string(text), nullptr, 8) : -1;
  if (mode < 0 || mode > 07777) return wrong(row, "is not a mode");
  return SettingValue(mode);
}

Value text_from(const Row& row, std::string_view text) {
  if (has_control(text)) return wrong(row, "has a control character");
  if (text.size() < static_cast<uint64_t>(row.limits.min)) return wrong(row, "is empty");
  if (text.size() > static_cast<uint64_t>(row.limits.max)) return wrong(row, "is too long");
  return SettingValue(std::string(text));
}

bool is_word(const Row& row, std::string_view text) {
  const auto words = split_words(row.limits.words);
  return std::any_of(words.begin(), words.end(), [text](std::string_view w) { return iequals(w, text); });
}

std::string suggestion(const Row& row, std::string_view text) {
  const std::string_view near = nearest(to_lower(text), split_words(row.limits.words));
  return near.empty() ? "" : fmt::format(" (did you mean {}?)", near);
}

Value path_from(const Row& row, std::string_view text) {
  if (row.limits.inline_pem && text.starts_with("-----BEGIN")) return SettingValue(std::string(text));
  if (text.starts_with('<')) text = trim(text.substr(1));
  if (has_control(text)) return wrong(row, "has a control character");
  if (text.empty() && !row.def.empty()) return wrong(row, "is empty");
  if (!text.empty() && text[0] != '/' && !is_word(row, text)) return wrong(row, "is not an absolute path");
  return SettingValue(std::string(text));
}

// As written in the table, whatever the case in the file.
Value choice_from(const Row& row, std::string_view text) {
  const size_t colon = row.limits.cut ? text.find(':') : std::string_view::npos;
  if (colon != std::string_view::npos && !parse_number(text.substr(colon + 1), 1000))
    return wrong(row, "has no number behind the colon");
  for (std::string_view word : split_words(row.limits.words))
    if (iequals(word, text.substr(0, colon)))
      return SettingValue(std::string(word) + (colon == std::string_view::npos ? "" : std::string(text.substr(colon))));
  return wrong(row, "is not one of its words" + suggestion(row, text));
}

Value items_checked(const Row& row, std::vector<std::string> items) {
  std::vector<std::string> out;
  for (std::string& item : items) {
    if (has_control(item)) return wrong(row, "has a control character");
    if (row.type == RowType::Networks && !Network::parse(item))
      return wrong(row, fmt::format("\"{}\" is not a network", printable(item)));
    if (row.type == RowType::Words) {
      if (!is_word(row, item))
        return wrong(row, fmt::format("\"{}\" is unknown{}", printable(item), suggestion(row, item)));
      item = to_lower(item);
    }
    if (std::find(out.begin(), out.end(), item) == out.end()) out.push_back(std::move(item));
  }
  return SettingValue(std::move(out));
}

Value list_from(const Row& row, std::string_view text) {
  const auto words = split_words(text, " \t\r\n,");
  return items_checked(row, {words.begin(), words.end()});
}

// Kinds of rows, by RowType.
struct Kind {
  Value (*from_text)(const Row&, std::string_view);
  bool is_list;
  std::string (*accepted)(const Row&);
};

constexpr Kind kKinds[] = {
    {flag_from, false, flag_accepts},   {number_from, false, number_accepts}, {size_from, false, size_accepts},
    {time_from, false, time_accepts},   {mode_from, false, mode_accepts},     {text_from, false, text_accepts},
    {path_from, false, path_accepts},   {choice_from, false, choice_accepts}, {list_from, true, list_accepts},
    {list_from, true, networks_accept}, {list_from, true, words_accept},      {text_from, false, pairs_accept},
};

const Kind& kind_of(const Row& row) { return kKinds[static_cast<size_t>(row.type)]; }

// --- from a node ----------------------------------------------------------------

Value from_integer(const Row& row, int64_t number) {
  const RowType type = row.type;
  if (type == RowType::Number || type == RowType::Size) return in_range(row, number);
  if (type == RowType::Time) return number == 0 ? in_range(row, 0) : wrong(row, "is missing units");
  if (type == RowType::Text) return text_from(row, std::to_string(number));  // mail_uid = 500
  if (type == RowType::Mode) return wrong(row, "must stand in quotes (libconfig reads it as decimal)");
  return wrong(row, "is a number");
}

// ssl = true means "yes".
Value from_flag(const Row& row, bool flag) {
  if (row.type == RowType::Flag) return SettingValue(flag);
  if (row.type == RowType::Choice && is_word(row, "yes") && is_word(row, "no"))
    return choice_from(row, flag ? "yes" : "no");
  return wrong(row, "is a boolean");
}

Value from_sequence(const Row& row, const Node& node) {
  if (!kind_of(row).is_list) return wrong(row, "is a list");
  std::vector<std::string> items;
  for (const Node& child : node.children) {
    if (child.kind != Node::Kind::Text) return wrong(row, "holds something else than strings");
    items.push_back(child.text);
  }
  return items_checked(row, std::move(items));
}

std::string items_text(const std::vector<std::string>& items) {
  if (items.empty()) return "[ ]";
  std::string out = "[ ";
  for (const std::string& item : items) out += (out.size() > 2 ? ", " : "") + quoted(item);
  return out + " ]";
}

std::string integer_text(int64_t number) {
  return number > INT32_MAX || number < INT32_MIN ? fmt::format("{}L", number) : std::to_string(number);
}

std::string number_text(const Row& row, int64_t number) {
  if (row.type == RowType::Time) return number == 0 ? "0" : quoted(time_text(number));
  if (row.type == RowType::Size) return number == 0 || number % kKiB ? integer_text(number) : quoted(size_text(number));
  if (row.type == RowType::Mode) return quoted(fmt::format("{:04o}", number));
  return integer_text(number);
}

}  // namespace

Result<SettingValue> parse_value(const Row& row, const Node& node) {
  if (node.kind == Node::Kind::Text) return kind_of(row).from_text(row, node.text);
  if (node.kind == Node::Kind::Integer) return from_integer(row, node.integer);
  if (node.kind == Node::Kind::Flag) return from_flag(row, node.flag);
  if (node.is_sequence()) return from_sequence(row, node);
  return wrong(row, node.is_group() ? "is a group" : "has a decimal point");
}

Result<SettingValue> parse_value_text(const Row& row, std::string_view text) {
  return kind_of(row).from_text(row, text);
}

Result<bool> parse_yes_no(std::string_view text) {
  for (std::string_view word : {"yes", "true", "on", "y", "1"})
    if (iequals(text, word)) return true;
  for (std::string_view word : {"no", "false", "off", "n", "0"})
    if (iequals(text, word)) return false;
  return Error("is neither yes nor no");
}

Result<int64_t> parse_time(std::string_view text) {
  const auto parts = split_number(text);
  if (!parts) return Error("is not a time");
  if (parts->second.empty()) return parts->first == 0 ? Result<int64_t>(0) : Error("is missing units");
  const int64_t factor = factor_of(kTimeUnits, parts->second);
  if (factor == 0) return Error("has an unknown unit");
  return multiplied(parts->first, factor, "time");
}

Result<int64_t> parse_size(std::string_view text) {
  const auto parts = split_number(text);
  if (!parts) return Error("is not a size");
  const int64_t factor = parts->second.empty() ? 1 : factor_of(kSizeUnits, parts->second);
  if (factor == 0) return Error("has an unknown unit");
  return multiplied(parts->first, factor, "size");
}

std::string time_text(int64_t milliseconds) {
  static constexpr Unit kUnits[] = {{"days", kDay}, {"hours", kHour}, {"mins", kMinute}, {"secs", kSecond}, {"ms", 1}};
  std::string text = with_unit(milliseconds, kUnits);
  if (text.starts_with("1 ") && text.back() == 's' && text != "1 ms") text.pop_back();
  return text;
}

std::string size_text(int64_t bytes) {
  static constexpr Unit kUnits[] = {{"T", 1024 * kGiB}, {"G", kGiB}, {"M", kMiB}, {"K", kKiB}};
  return with_unit(bytes, kUnits);
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\r') {
      out += "\\r";
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

std::string value_text(const Row& row, const SettingValue& value) {
  struct Show {
    const Row& row;
    std::string operator()(bool flag) const { return flag ? "true" : "false"; }
    std::string operator()(int64_t number) const { return number_text(row, number); }
    std::string operator()(const std::string& text) const { return quoted(text); }
    std::string operator()(const std::vector<std::string>& items) const { return items_text(items); }
  };
  return std::visit(Show{row}, value);
}

std::string accepted_text(const Row& row) {
  std::string text = kind_of(row).accepted(row);
  return row.limits.unlimited ? text + ", \"unlimited\"" : text;
}

}  // namespace postern
