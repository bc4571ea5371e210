#include "proto/smtp/command.h"

#include <algorithm>

#include "base/text.h"

namespace postern::smtp {

namespace {

bool is_letter(char c) {
  const char lower = ascii_lower(c);
  return lower >= 'a' && lower <= 'z';
}
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_blank(char c) { return c == ' ' || c == '\t'; }
bool is_visible(char c) { return c > ' ' && c < 0x7f; }
bool is_plain(char c) { return is_blank(c) || is_visible(c); }

size_t verb_length(std::string_view line) {
  const auto end = std::find_if_not(line.begin(), line.end(), is_letter);
  return static_cast<size_t>(end - line.begin());
}

std::string_view without_blanks_behind(std::string_view line) {
  while (!line.empty() && is_blank(line.back())) line.remove_suffix(1);
  return line;
}

// Between the quotes of a quoted string.
bool is_quoted_content(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"' || !is_plain(text[i])) return false;
    if (text[i] == '\\' && (++i == text.size() || !is_plain(text[i]))) return false;
  }
  return true;
}

bool is_name_char(char c) { return is_letter(c) || is_digit(c) || c == '-' || c == '.' || c == '_'; }
bool is_literal_char(char c) { return is_visible(c) && c != '[' && c != ']' && c != '\\'; }

}  // namespace

size_t LineCutter::skip(std::string_view input) {
  if (in_long_line_) {
    const size_t end = input.find('\n');
    in_long_line_ = end == std::string_view::npos;
    return in_long_line_ ? input.size() : end + 1;
  }
  const size_t taken = static_cast<size_t>(std::min<uint64_t>(discard_, input.size()));
  discard_ -= taken;
  return taken;
}

Line LineCutter::next(std::string_view input, size_t max) {
  if (in_long_line_ || discard_ > 0) return {};  // skip() has more to take
  const Line line = next_line(input, max);
  in_long_line_ = line.status == Line::Status::TooLong;
  return line;
}

std::optional<Command> parse_command(std::string_view line) {
  line = without_blanks_behind(line);
  const size_t verb = verb_length(line);
  if (line.empty() || (line.front() == ' ' && is_text(line)))
    return Command{};  // recorded: a command that nobody knows
  if (verb == 0 || verb > kMaxVerb) return std::nullopt;
  Command command{to_upper(line.substr(0, verb)), {}};
  if (verb == line.size()) return command;
  command.parameters = line.substr(verb + 1);
  const bool one_blank = line[verb] == ' ' && !is_blank(command.parameters.front());
  if (!one_blank || !is_text(command.parameters)) return std::nullopt;
  return command;
}

size_t command_limit(std::string_view head, size_t max_parameters) {
  return std::min(verb_length(head.substr(0, kMaxVerb)), kMaxVerb) + 1 + max_parameters;
}

bool is_text(std::string_view text) {
  while (!text.empty()) {
    const size_t length = utf8_length(text);
    if (length == 0 || (length == 1 && !is_plain(text.front()))) return false;
    text.remove_prefix(length);
  }
  return true;
}

bool is_ascii_text(std::string_view text) { return std::all_of(text.begin(), text.end(), is_plain); }

bool is_string(std::string_view text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"')
    return is_quoted_content(text.substr(1, text.size() - 2));
  static constexpr std::string_view kSpecials = "()<>[]:;@\\,.\"";
  return !text.empty() && std::none_of(text.begin(), text.end(), [](char c) {
    return is_blank(c) || kSpecials.find(c) != std::string_view::npos;
  });
}

bool is_domain(std::string_view text) {
  if (text.empty() || text.size() > 255) return false;
  if (text.front() != '[') return std::all_of(text.begin(), text.end(), is_name_char);
  if (text.size() < 3 || text.back() != ']') return false;
  const std::string_view literal = text.substr(1, text.size() - 2);
  return std::all_of(literal.begin(), literal.end(), is_literal_char);
}

std::optional<Chunk> parse_chunk(std::string_view parameters) {
  const size_t blank = std::min(parameters.find(' '), parameters.size());
  const auto size = parse_number(parameters.substr(0, blank), INT64_MAX);
  if (!size) return std::nullopt;
  if (blank == parameters.size()) return Chunk{*size, false};
  if (!iequals(parameters.substr(blank + 1), "LAST")) return std::nullopt;
  return Chunk{*size, true};
}

}  // namespace postern::smtp
