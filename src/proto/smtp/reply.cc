#include "proto/smtp/reply.h"

#include <utility>

#include "base/text.h"

namespace postern::smtp {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Length of the number at the start of `text`, at most three digits; 0 when there is none.
size_t number_length(std::string_view text) {
  size_t n = 0;
  while (n < text.size() && n < 4 && is_digit(text[n])) ++n;
  return n > 3 ? 0 : n;
}

// ".subject" or ".detail"
size_t part_length(std::string_view text) {
  if (text.empty() || text[0] != '.') return 0;
  const size_t n = number_length(text.substr(1));
  return n == 0 ? 0 : n + 1;
}

// The text of a line for somebody else, without an enhanced code that contradicts `code`.
std::string_view consistent(std::string_view text, unsigned code) {
  const std::string_view enhanced = enhanced_code(text);
  if (enhanced.empty() || static_cast<unsigned>(enhanced[0] - '0') == code / 100) return text;
  text.remove_prefix(enhanced.size());
  return trim(text);
}

}  // namespace

std::optional<ReplyLine> parse_reply_line(std::string_view line) {
  if (line.size() < 3) return std::nullopt;
  const auto code = parse_number(line.substr(0, 3));
  if (!code || *code < 200 || *code > 559) return std::nullopt;
  const auto number = static_cast<unsigned>(*code);
  if (line.size() == 3) return ReplyLine{number, true, {}};
  if (line[3] != ' ' && line[3] != '-') return std::nullopt;
  return ReplyLine{number, line[3] == ' ', line.substr(4)};
}

std::string_view enhanced_code(std::string_view text) {
  if (text.empty() || (text[0] != '2' && text[0] != '4' && text[0] != '5')) return {};
  const size_t subject = part_length(text.substr(1));
  const size_t detail = subject == 0 ? 0 : part_length(text.substr(1 + subject));
  const size_t length = 1 + subject + detail;
  if (detail == 0 || (length < text.size() && text[length] != ' ')) return {};
  return text.substr(0, length);
}

std::string_view Reply::enhanced() const {
  if (lines.empty()) return {};
  const std::string_view found = enhanced_code(lines.front());
  return !found.empty() && static_cast<unsigned>(found[0] - '0') == kind() ? found : std::string_view();
}

std::string Reply::text() const {
  std::string out;
  for (size_t i = 0; i < lines.size(); ++i) {
    const bool last = i + 1 == lines.size();
    out += std::to_string(code) + (last ? " " : "-");
    const std::string_view shown = consistent(lines[i], code);
    out += printable(shown, shown.size());
    if (!last) out += "\r\n";
  }
  return out;
}

std::string Reply::summary() const {
  return std::to_string(code) + " " + printable(lines.empty() ? std::string_view() : std::string_view(lines.back()));
}

ReplyReader::State ReplyReader::broken(const char* why) {
  why_ = why;
  return State::Broken;
}

ReplyReader::State ReplyReader::take(std::string_view line) {
  const auto parsed = parse_reply_line(line);
  if (!parsed) return broken("Invalid reply");
  if (!reply_.lines.empty() && parsed->code != reply_.code) return broken("Inconsistent reply");
  bytes_ += line.size();
  if (reply_.lines.size() >= kMaxLines || bytes_ > kMaxBytes) return broken("Too long reply");
  reply_.code = parsed->code;
  reply_.lines.emplace_back(parsed->text);
  return parsed->last ? State::Complete : State::More;
}

Reply ReplyReader::reply() {
  bytes_ = 0;
  return std::exchange(reply_, {});
}

std::string format_reply(unsigned code, std::string_view enhanced, std::string_view text) {
  std::string out = std::to_string(code) + " ";
  if (!enhanced.empty()) (out += enhanced) += ' ';
  return (out += text) += "\r\n";
}

std::string format_lines(unsigned code, const std::vector<std::string>& lines) {
  std::string out;
  for (size_t i = 0; i < lines.size(); ++i)
    (((out += std::to_string(code)) += i + 1 == lines.size() ? ' ' : '-') += lines[i]) += "\r\n";
  return out;
}

}  // namespace postern::smtp
