#include "conf/settings.h"

#include <array>
#include <cstring>

#include "base/check.h"
#include "conf/node.h"
#include "conf/row.h"
#include "conf/services.h"
#include "conf/values.h"
#include "paths.h"

namespace postern {
namespace {

constexpr unsigned M = kMaster, L = kLogin, A = kAuth, W = kAuthWorker, G = kLog, S = kState;
constexpr Limits any{};
constexpr Limits pem{.inline_pem = true};
constexpr Limits range(int64_t min, int64_t max) { return {.min = min, .max = max}; }
constexpr Limits length(int64_t max) { return {.max = max}; }
constexpr Limits name(int64_t max) { return {.min = 1, .max = max}; }
constexpr Limits words(std::string_view accepted) { return {.words = accepted}; }

// A section's title waits for the row behind it.
struct Entry {
  std::string_view title;
  Row row;
};

constexpr Entry kEntries[] = {
#define SECTION(title) {title, {}},
#define SETTING(name, type, def, limits, roles, flags, doc) \
  {{}, {#name, RowType::type, def, limits, roles, flags, doc, {}}},
#include "conf/settings.def"
#undef SETTING
#undef SECTION
};

constexpr size_t kRows = static_cast<size_t>(Key::kCount);

constexpr std::array<Row, kRows> make_rows() {
  std::array<Row, kRows> rows{};
  size_t at = 0;
  std::string_view title;
  for (const Entry& entry : kEntries) {
    if (!entry.title.empty()) {
      title = entry.title;
      continue;
    }
    rows[at] = entry.row;
    rows[at++].section = title;
    title = {};
  }
  return rows;
}

constexpr std::array<Row, kRows> kTable = make_rows();

std::vector<SettingValue> make_defaults() {
  std::vector<SettingValue> values;
  for (const Row& row : kTable) {
    Result<SettingValue> value = parse_value_text(row, row.def);
    POSTERN_CHECK(value, row.name);
    values.push_back(std::move(*value));
  }
  return values;
}

}  // namespace

std::span<const Row> setting_rows() { return kTable; }

Key find_setting(std::string_view name) {
  for (size_t i = 0; i < kRows; ++i)
    if (kTable[i].name == name) return static_cast<Key>(i);
  return Key::kCount;
}

unsigned role_bit(char letter) {
  static constexpr char kLetters[] = "MLAWGS";
  const char* at = letter ? strchr(kLetters, letter) : nullptr;
  return at ? 1u << (at - kLetters) : 0;
}

Settings::Settings() {
  static const std::vector<SettingValue> defaults = make_defaults();
  values_ = defaults;
}

std::string Configuration::place_of(Key key) const {
  const auto found = places.find(key);
  return found == places.end() ? std::string() : found->second + ": ";
}

const ServiceSettings* Configuration::service(std::string_view name) const {
  for (const ServiceSettings& s : services)
    if (s.name == name) return &s;
  return nullptr;
}

}  // namespace postern
