// A row of a settings table: what a setting is called, may hold and is for. Global settings have theirs in
// settings.def, the keys of blocks in blocks.cc; parser, dumps and documentation read both alike.
#ifndef POSTERN_CONF_ROW_H
#define POSTERN_CONF_ROW_H

#include <cstdint>
#include <span>
#include <string_view>

#include "conf/settings.h"

namespace postern {

enum class RowType : uint8_t {
  Flag,      // bool
  Number,    // int64_t
  Size,      // int64_t, bytes
  Time,      // int64_t, milliseconds
  Mode,      // int64_t, permission bits
  Text,      // string
  Path,      // string: absolute, empty, or one of the words
  Choice,    // string: one of the words
  List,      // strings
  Networks,  // strings, each an address with or without /bits
  Words,     // strings, each one of the words, in lower case
  Pairs,     // string of "name=value name=value" (see fields.h)
};

inline constexpr int64_t kKiB = 1024, kMiB = 1024 * kKiB, kGiB = 1024 * kMiB;
inline constexpr int64_t kMaxSize = int64_t{1} << 50;
inline constexpr int64_t kSecond = 1000, kMinute = 60 * kSecond, kHour = 60 * kMinute, kDay = 24 * kHour;

// What values are accepted. Numbers, sizes and times: from min to max; texts: min to max bytes.
struct Limits {
  int64_t min = 0, max = INT64_MAX;
  std::string_view words = {};  // separated by blanks
  bool inline_pem = false;      // a path may be the PEM itself
  bool unlimited = false;       // the words "unlimited" and "infinite" stand for 0
  bool cut = false;             // a word may carry ":N"

  constexpr Limits or_unlimited() const {
    Limits l = *this;
    l.unlimited = true;
    return l;
  }
  constexpr Limits or_cut() const {
    Limits l = *this;
    l.cut = true;
    return l;
  }
};

// Who may see a setting (HACKING: a role gets its slice).
enum RoleBit : unsigned { kMaster = 1, kLogin = 2, kAuth = 4, kAuthWorker = 8, kLog = 16, kState = 32 };
enum RowFlag : unsigned { kNone = 0, kOverridable = 1, kSecret = 2, kLater = 4 };

struct Row {
  std::string_view name;
  RowType type;
  std::string_view def;  // as in the file; empty lists and texts are ""
  Limits limits;
  unsigned roles;
  unsigned flags;
  std::string_view doc;           // one sentence
  std::string_view section = {};  // heading, where one starts
};

// The global settings, in the order of Key.
std::span<const Row> setting_rows();
inline const Row& row_of(Key key) { return setting_rows()[static_cast<size_t>(key)]; }
// The setting of that name; Key::kCount when there is none.
Key find_setting(std::string_view name);
// The bit of a letter M, L, A, W, G or S; 0 for another.
unsigned role_bit(char letter);

}  // namespace postern

#endif
