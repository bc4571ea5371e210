#include "proto/sieve/scan.h"

#include <algorithm>

#include "base/text.h"

namespace postern::sieve {

namespace {

constexpr std::string_view kAtomSpecials = "(){\"\\";

bool is_atom_char(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte > 0x20 && byte < 0x7f && kAtomSpecials.find(c) == std::string_view::npos;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// What "{n}" or "{n+}" announces, from behind its brace; nothing when it is none. A number beyond all bounds is the
// largest one.
std::optional<uint64_t> announced(std::string_view head) {
  if (!head.ends_with('}')) return std::nullopt;
  head.remove_suffix(1);
  if (head.ends_with('+')) head.remove_suffix(1);
  if (head.empty() || !std::all_of(head.begin(), head.end(), is_digit)) return std::nullopt;
  return parse_number(head).value_or(UINT64_MAX);
}

// What the end of a line announces that was given up before; 0 when that is nothing.
uint64_t announced_at_end(std::string_view line) {
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  const size_t brace = line.rfind('{');
  return brace == std::string_view::npos ? 0 : announced(line.substr(brace + 1)).value_or(0);
}

// What a scanner of one argument found out.
enum class Found : uint8_t { Argument, More, Wrong, BigLiteral };

class Scanner {
 public:
  Scanner(std::string_view input, size_t limit) : input_(input), limit_(limit) {}

  Scan run() {
    while (true) {
      at_ = std::min(input_.find_first_not_of(' ', at_), input_.size());
      if (const size_t end = line_end(); end > 0) return done(Scan::Status::Complete, at_ + end);
      if (at_ == input_.size() || input_.substr(at_) == "\r") return more();
      switch (argument()) {
        case Found::Argument: break;
        case Found::More: return more();
        case Found::Wrong: return broken();
        case Found::BigLiteral: return done(Scan::Status::BigLiteral, at_);
      }
      if (at_ > limit_) return done(Scan::Status::TooLong, 0);
    }
  }

 private:
  // Length of a line end at this place, 0 when there is none.
  size_t line_end() const {
    const std::string_view rest = input_.substr(at_);
    return rest.starts_with("\r\n") ? 2 : rest.starts_with('\n') ? 1 : 0;
  }

  Scan done(Scan::Status status, size_t taken) {
    // However the bytes were cut on their way, a line is too long or it isn't.
    const bool too_long = taken > limit_ + kLineEnd;
    scan_.status = too_long ? Scan::Status::TooLong : status;
    scan_.taken = too_long ? 0 : taken;
    return std::move(scan_);
  }
  Scan more() { return done(has_no_room() ? Scan::Status::TooLong : Scan::Status::Incomplete, 0); }
  // For more than a CR, when no LF has come.
  bool has_no_room() const { return input_.size() > limit_ + kLineEnd - 1; }
  // The rest of the line goes with what was wrong in it.
  Scan broken() {
    const size_t end = input_.find('\n', at_);
    if (end == std::string_view::npos && has_no_room()) return done(Scan::Status::TooLong, 0);
    scan_.literal = end == std::string_view::npos ? 0 : announced_at_end(input_.substr(at_, end + 1 - at_));
    return done(Scan::Status::Broken, end == std::string_view::npos ? 0 : end + 1);
  }

  Found wrong(std::string_view why) {
    scan_.why = why;
    return Found::Wrong;
  }
  // An argument ends at a blank or at the end of the line.
  Found take(Argument::Kind kind, std::string_view raw, size_t end) {
    if (end == input_.size()) return Found::More;
    if (input_[end] == '\r' && end + 1 == input_.size()) return Found::More;
    const bool ends = input_[end] == ' ' || input_[end] == '\n' || input_.substr(end, 2) == "\r\n";
    at_ = end;
    if (!ends)
      return wrong(kind == Argument::Kind::Atom ? "Invalid character in atom" : "Invalid character after string");
    scan_.arguments.push_back({kind, raw});
    return Found::Argument;
  }

  Found argument() {
    if (input_[at_] == '"') return quoted();
    if (input_[at_] == '{') return literal();
    return atom();
  }

  Found atom() {
    const size_t end = static_cast<size_t>(
        std::find_if_not(input_.begin() + static_cast<ptrdiff_t>(at_), input_.end(), is_atom_char) - input_.begin());
    if (end == at_) return wrong("Invalid character in atom");
    return take(Argument::Kind::Atom, input_.substr(at_, end - at_), end);
  }

  // SIEVE-3
  Found quoted() {
    for (size_t i = at_ + 1; i < input_.size(); ++i) {
      if (input_[i] == '"') return end_quoted(i);
      if (input_[i] == '\r' || input_[i] == '\n' || input_[i] == '\0')
        return wrong("Invalid character in quoted string");
      if (input_[i] != '\\') continue;
      if (++i == input_.size()) return Found::More;
      if (input_[i] != '"' && input_[i] != '\\')
        return wrong("Escaped quoted-string character is not a QUOTED-SPECIAL");
    }
    return Found::More;
  }
  Found end_quoted(size_t end) {
    const std::string_view raw = input_.substr(at_ + 1, end - at_ - 1);
    if (!is_utf8(raw)) return wrong("Invalid UTF-8 in quoted string");
    return take(Argument::Kind::Quoted, raw, end + 1);
  }

  // "{n+}" and its line end, then n bytes.
  Found literal() {
    const size_t end = input_.find('\n', at_);
    if (std::min(end, input_.size()) - at_ > kMaxHeader) return wrong("Invalid literal");
    if (end == std::string_view::npos) return Found::More;
    std::string_view head = input_.substr(at_ + 1, end - at_ - 1);
    if (head.ends_with('\r')) head.remove_suffix(1);
    if (!head.ends_with('}')) return wrong("Invalid literal");
    const auto size = announced(head);
    if (!size) return wrong("Invalid literal size");
    return literal_bytes(*size, end + 1);
  }
  Found literal_bytes(uint64_t size, size_t begin) {
    scan_.literal = size;
    if (begin > limit_ || size > limit_ - begin) {
      at_ = begin;
      return Found::BigLiteral;
    }
    if (input_.size() - begin < size) return Found::More;
    const std::string_view raw = input_.substr(begin, size);
    return take(Argument::Kind::Literal, raw, begin + raw.size());
  }

  static constexpr size_t kLineEnd = 2;
  static constexpr size_t kMaxHeader = 32;  // "{", a number, "+}" and a line end are shorter

  std::string_view input_;
  size_t limit_;
  size_t at_ = 0;
  Scan scan_;
};

// Length of the quoted string at the start of `text`, with its quotes; 0 when there is none.
size_t quoted_length(std::string_view text) {
  if (!text.starts_with('"')) return 0;
  for (size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') return i + 1;
    if (text[i] == '\\' && ++i < text.size() && text[i] != '"' && text[i] != '\\') return 0;
  }
  return 0;
}

// Length of "(...)" at the start of `text`; brackets in quoted strings don't count.
size_t code_length(std::string_view text) {
  for (size_t i = 1; i < text.size(); ++i) {
    if (text[i] == ')') return i + 1;
    if (text[i] != '"') continue;
    const size_t quoted = quoted_length(text.substr(i));
    if (quoted == 0) return 0;
    i += quoted - 1;
  }
  return 0;
}

}  // namespace

std::string Argument::text() const {
  if (kind != Kind::Quoted) return std::string(raw);
  std::string out;
  for (size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] == '\\') ++i;
    out += raw[i];
  }
  return out;
}

Scan scan_line(std::string_view input, size_t limit) { return Scanner(input, limit).run(); }

std::optional<StatusLine> parse_status(std::string_view line) {
  const size_t end = std::min(line.find(' '), line.size());
  if (end == 0 || !std::all_of(line.begin(), line.begin() + static_cast<ptrdiff_t>(end), is_atom_char))
    return std::nullopt;
  StatusLine status{line.substr(0, end), {}, trim(line.substr(end)), false};
  std::string_view rest = status.rest;
  if (rest.starts_with('(')) {
    const size_t length = code_length(rest);
    if (length == 0) return status;
    status.code = rest.substr(1, length - 2);
    rest = trim(rest.substr(length));
  }
  status.well_formed =
      (rest.empty() || quoted_length(rest) == rest.size()) && is_utf8(status.rest) && !has_control(status.rest);
  return status;
}

void append_string(std::string& out, std::string_view text) {
  if (text.find_first_of("\r\n") != std::string_view::npos) {
    out += "{" + std::to_string(text.size()) + "}\r\n";
    out += text;
    return;
  }
  out += '"';
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

void append_text(std::string& out, std::string_view text) {
  std::string clean;
  while (!text.empty()) {
    const size_t length = utf8_length(text);
    const bool blank = text[0] == ' ' || text[0] == '\t';
    if (blank && !clean.ends_with(' ')) clean += ' ';
    if (!blank && length > 0 && text[0] != '\0') clean += text.substr(0, length);
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  append_string(out, clean);
}

}  // namespace postern::sieve
