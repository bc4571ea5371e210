#include "conf/dovecot_file.h"

#include <fmt/core.h>

#include "base/text.h"

namespace postern {
namespace {

constexpr std::string_view kBlanks = " \t\r";

std::string_view stripped(std::string_view text) {
  const size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// Where a quote that opens at `at` closes; npos when it does not.
size_t closing_quote(std::string_view line, size_t at) {
  for (size_t i = at + 1; i < line.size(); ++i) {
    if (line[i] == '\\') ++i;
    else if (line[i] == line[at]) return i;
  }
  return std::string_view::npos;
}

std::string_view without_comment(std::string_view line) {
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '#') return line.substr(0, i);
    if (line[i] != '"' && line[i] != '\'') continue;
    const size_t close = closing_quote(line, i);
    if (close == std::string_view::npos) return line;
    i = close;
  }
  return line;
}

// Quotes around the whole value are taken off, and what they escape.
std::string unquoted(std::string_view value) {
  const bool quoted = value.size() >= 2 && (value[0] == '"' || value[0] == '\'') && value.back() == value[0];
  if (!quoted) return std::string(value);
  std::string out;
  for (size_t i = 1; i + 1 < value.size(); ++i) {
    if (value[i] == '\\' && i + 2 < value.size()) ++i;
    out += value[i];
  }
  return out;
}

class FileParser {
 public:
  DovecotFile run(std::string_view text) {
    for (std::string_view line : split_fields(text, '\n')) {
      ++number_;
      add(line);
    }
    if (!pending_.empty()) finish(pending_);
    return std::move(out_);
  }

 private:
  void add(std::string_view raw) {
    std::string_view line = stripped(without_comment(stripped(raw)));
    const bool continues = line.ends_with('\\');
    if (continues) line.remove_suffix(1);
    if (pending_.empty()) start_ = number_;
    pending_ += line;
    if (continues || pending_.empty()) return;
    const std::string whole = std::move(pending_);
    pending_.clear();
    finish(whole);
  }

  void finish(std::string_view line) {
    const size_t equals = line.find('=');
    const std::string_view key = stripped(line.substr(0, equals == std::string_view::npos ? 0 : equals));
    if (key.empty() || key.find_first_of(" \t") != std::string_view::npos) {
      out_.errors.push_back(fmt::format("{}: {}: is not KEY = VALUE", start_, printable(line.substr(0, 40))));
      return;
    }
    out_.values.emplace_back(key, unquoted(stripped(line.substr(equals + 1))));
  }

  DovecotFile out_;
  std::string pending_;
  size_t number_ = 0, start_ = 1;
};

}  // namespace

DovecotFile parse_dovecot_file(std::string_view text) { return FileParser().run(text); }

}  // namespace postern
