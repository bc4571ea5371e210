#include "ctl/table.h"

#include <algorithm>

#include "base/text.h"

namespace postern {

namespace {

constexpr size_t kWidestText = 4096;  // a list of many addresses

// Columns on a terminal: UTF-8 continuation bytes take none.
size_t width_of(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

}  // namespace

std::string Table::text() const {
  std::vector<std::vector<std::string>> shown = rows_;
  std::vector<size_t> widths;
  for (auto& row : shown)
    for (size_t i = 0; i < row.size(); ++i) {
      row[i] = printable(row[i], kWidestText);
      if (widths.size() <= i) widths.push_back(0);
      widths[i] = std::max(widths[i], width_of(row[i]));
    }
  std::string out;
  for (const auto& row : shown) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string blanks(widths[i] - width_of(row[i]), ' ');
      const bool number = rows_[0][i][0] == '#';
      line += (i == 0 ? "" : "  ") + (number ? blanks + row[i] : row[i] + blanks);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  }
  return out;
}

}  // namespace postern
