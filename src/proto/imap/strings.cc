#include "proto/imap/strings.h"

#include <algorithm>

#include "base/text.h"

namespace postern::imap {

namespace {

bool is_8bit(char c) { return static_cast<unsigned char>(c) >= 0x80; }
bool is_escaped(char c) { return c == '"' || c == '\\'; }

bool wants_literal(std::string_view text) {
  const auto odd = [](char c) { return c == '\r' || c == '\n' || is_8bit(c); };
  return std::any_of(text.begin(), text.end(), odd) || std::count_if(text.begin(), text.end(), is_escaped) >= 5;
}

}  // namespace

void append_string(std::string& out, std::string_view text) {
  if (wants_literal(text)) {
    out += '{';
    out += std::to_string(text.size());
    out += "}\r\n";
    out += text;
    return;
  }
  append_quoted(out, text);
}

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  for (char c : text) {
    if (is_8bit(c) || c == '\r' || c == '\n' || c == '\0') continue;
    if (is_escaped(c)) out += '\\';
    out += c;
  }
  out += '"';
}

std::optional<CodedText> split_code(std::string_view reply) {
  if (!reply.starts_with('[')) return std::nullopt;
  const size_t end = reply.find(']');
  if (end == std::string_view::npos || end == 1) return std::nullopt;
  std::string_view text = reply.substr(end + 1);
  if (text.starts_with(' ')) text.remove_prefix(1);
  return CodedText{reply.substr(1, end - 1), text};
}

std::optional<std::string_view> capability_code(std::string_view reply) {
  static constexpr std::string_view kWord = "CAPABILITY ";
  const auto coded = split_code(reply);
  if (!coded || !istarts_with(coded->code, kWord)) return std::nullopt;
  return coded->code.substr(kWord.size());
}

bool has_word(std::string_view list, std::string_view word) {
  for (size_t at = 0; at < list.size();) {
    const size_t end = std::min(list.find(' ', at), list.size());
    if (iequals(list.substr(at, end - at), word)) return true;
    at = end + 1;
  }
  return false;
}

}  // namespace postern::imap
