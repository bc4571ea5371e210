#include "conf/scan.h"

#include <sys/stat.h>
#include <unistd.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fmt/core.h>

#include "base/fd.h"
#include "base/text.h"

namespace postern {
namespace {

constexpr int kMaxIncludeDepth = 10;  // libconfig's own
constexpr size_t kMaxSources = 1000;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_start(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '*'; }
bool is_name_char(char c) { return is_name_start(c) || is_digit(c) || c == '-' || c == '_'; }

// Follows libconfig's lexer through strings, comments, names and numbers.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  ScannedText run() {
    while (at_ < text_.size()) token();
    return std::move(out_);
  }

 private:
  char peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  void step() {
    if (text_[at_++] == '\n') ++line_;
  }
  void step_to(size_t end) {
    while (at_ < end && at_ < text_.size()) step();
  }

  void token() {
    const char c = peek();
    if (c == '"') return string();
    if (c == '#' || (c == '/' && peek(1) == '/')) return step_to(text_.find('\n', at_));
    if (c == '/' && peek(1) == '*') return comment();
    if (c == '@') return include();
    if (is_name_start(c)) return name();
    if (is_digit(c) || ((c == '-' || c == '+') && is_digit(peek(1)))) return number();
    step();
  }

  void string() {
    step();
    while (at_ < text_.size() && peek() != '"') {
      if (peek() == '\\' && at_ + 1 < text_.size()) step();
      step();
    }
    if (at_ < text_.size()) step();
  }

  void comment() {
    const size_t end = text_.find("*/", at_ + 2);
    step_to(end == std::string_view::npos ? text_.size() : end + 2);
  }

  void include() {
    static constexpr std::string_view kWord = "@include";
    if (!text_.substr(at_).starts_with(kWord)) return step();
    step_to(at_ + kWord.size());
    while (peek() == ' ' || peek() == '\t') step();
    if (peek() != '"') return;
    const size_t line = line_, start = at_ + 1;
    string();
    std::string path;
    for (size_t i = start; i + 1 < at_; ++i) {
      if (text_[i] == '\\' && i + 2 < at_ && (text_[i + 1] == '\\' || text_[i + 1] == '"')) ++i;
      path += text_[i];
    }
    out_.includes.emplace_back(line, std::move(path));
  }

  void name() {
    const size_t start = at_;
    while (is_name_char(peek())) step();
    name_ = text_.substr(start, at_ - start);
  }

  void number() {
    const size_t start = at_++;
    while (is_digit(peek()) || is_name_start(peek()) || peek() == '.' || exponent_sign()) step();
    judge(text_.substr(start, at_ - start));
  }

  bool exponent_sign() const {
    const char before = text_[at_ - 1];
    return (peek() == '-' || peek() == '+') && (before == 'e' || before == 'E');
  }

  void judge(std::string_view literal) {
    std::string_view digits = literal;
    const bool minus = digits[0] == '-';
    if (minus || digits[0] == '+') digits.remove_prefix(1);
    const bool wide = digits.ends_with('L') || digits.ends_with('l');
    while (digits.ends_with('L') || digits.ends_with('l')) digits.remove_suffix(1);
    const bool hex = istarts_with(digits, "0x");
    if (!hex && digits.find_first_not_of("0123456789") != std::string_view::npos) return;  // a float, or a syntax error
    const uint64_t max = (wide ? uint64_t{INT64_MAX} : uint64_t{INT32_MAX}) + (minus ? 1 : 0);
    if (fits(hex ? digits.substr(2) : digits, hex ? 16 : 10, max)) return;
    const bool beyond = !fits(hex ? digits.substr(2) : digits, hex ? 16 : 10, INT64_MAX);
    out_.lost.push_back({line_, std::string(name_), std::string(literal.substr(0, 60)), beyond});
  }

  static bool fits(std::string_view digits, unsigned base, uint64_t max) {
    uint64_t value = 0;
    for (char c : digits) {
      const unsigned digit =
          is_digit(c) ? static_cast<unsigned>(c - '0') : static_cast<unsigned>(ascii_lower(c) - 'a') + 10;
      if (digit >= base) return true;  // a syntax error, which libconfig reports
      if (value > (max - digit) / base) return false;
      value = value * base + digit;
    }
    return true;
  }

  std::string_view text_;
  size_t at_ = 0, line_ = 1;
  std::string_view name_;
  ScannedText out_;
};

std::string lost_text(const std::string& file, const LostInteger& lost) {
  const std::string place = fmt::format("{}:{}: {} = {}", file, lost.line, lost.name, lost.literal);
  if (lost.beyond_64_bits) return place + ": is too large; accepted: integers of 64 bits";
  return fmt::format("{}: is too large for an integer without L; accepted: {}L", place, lost.literal);
}

class SourceScan {
 public:
  SourceScan(std::string folder, Problems& problems) : folder_(std::move(folder)), problems_(problems) {}

  Sources run(const std::string& text, const std::string& name) {
    add(text, name, 0);
    return std::move(sources_);
  }

 private:
  void add(const std::string& text, const std::string& name, int depth) {
    const size_t nul = text.find('\0');
    if (nul != std::string::npos) {
      const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<long>(nul), '\n');
      problems_.plain_error(fmt::format("{}:{}: has a NUL byte", name, line));
      sources_.readable = false;
      return;
    }
    sources_.texts[name] = text;
    const ScannedText scanned = scan_text(text);
    for (const LostInteger& lost : scanned.lost) problems_.plain_error(lost_text(name, lost));
    for (const auto& [line, path] : scanned.includes) include(fmt::format("{}:{}", name, line), path, depth + 1);
  }

  void include(const std::string& where, const std::string& path, int depth) {
    if (depth > kMaxIncludeDepth) return fail(where, path, "is nested too deeply");
    if (sources_.texts.size() > kMaxSources) return fail(where, path, "is one file too many");
    const std::string full = path.starts_with('/') || folder_.empty() ? path : folder_ + "/" + path;
    const Result<std::string> text = read_text_file(full);
    if (!text) return fail(where, path, "cannot be included: " + text.error());
    add(*text, full, depth);
  }

  void fail(const std::string& where, const std::string& path, std::string_view what) {
    problems_.plain_error(fmt::format("{}: @include \"{}\": {}", where, printable(path), what));
    sources_.readable = false;
  }

  std::string folder_;
  Problems& problems_;
  Sources sources_;
};

}  // namespace

Result<std::string> read_text_file(const std::string& path) {
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat status {};
  if (fd.get() < 0 || fstat(fd.get(), &status) != 0) return Error(strerror(errno));
  if (!S_ISREG(status.st_mode)) return Error("not a regular file");
  std::string text;
  char buffer[16384];
  for (;;) {
    const ssize_t n = read(fd.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Error(strerror(errno));
    if (n == 0) return text;
    text.append(buffer, static_cast<size_t>(n));
    if (text.size() > kMaxFile) return Error(fmt::format("larger than {} bytes", kMaxFile));
  }
}

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return "";
  return slash == 0 ? "/" : path.substr(0, slash);
}

ScannedText scan_text(std::string_view text) { return Scanner(text).run(); }

std::string_view Sources::line(const std::string& file, size_t line) const {
  const auto found = texts.find(file);
  if (found == texts.end()) return {};
  const auto lines = split_fields(found->second, '\n');
  return line >= 1 && line <= lines.size() ? lines[line - 1] : std::string_view();
}

Sources scan_sources(const std::string& text, const std::string& name, Problems& problems) {
  return SourceScan(folder_of(name), problems).run(text, name);
}

}  // namespace postern
