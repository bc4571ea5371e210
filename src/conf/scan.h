// A look at the text of a configuration file before libconfig reads it, for what libconfig does not tell:
// integers it would truncate, NUL bytes, included files that are none.
#ifndef POSTERN_CONF_SCAN_H
#define POSTERN_CONF_SCAN_H

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "conf/node.h"

namespace postern {

inline constexpr size_t kMaxFile = 4 << 20;

// The content of a regular file of at most kMaxFile bytes.
Result<std::string> read_text_file(const std::string& path);
// The folder of `path`; empty for a bare name.
std::string folder_of(const std::string& path);

// An integer that libconfig would not read as it stands.
struct LostInteger {
  size_t line;
  std::string name;  // the setting, as far as the text shows it
  std::string literal;
  bool beyond_64_bits;
};

struct ScannedText {
  std::vector<LostInteger> lost;
  std::vector<std::pair<size_t, std::string>> includes;  // line, path as written
};
ScannedText scan_text(std::string_view text);

// The main file and all that it includes, by the names libconfig will call them.
struct Sources {
  std::map<std::string, std::string> texts;
  bool readable = true;  // else libconfig must not see them

  // Line `line` (from 1) of a file, without its newline; empty when there is none.
  std::string_view line(const std::string& file, size_t line) const;
};
Sources scan_sources(const std::string& text, const std::string& name, Problems& problems);

}  // namespace postern

#endif
