#include "base/log.h"

#include <unistd.h>

#include <array>
#include <cstdlib>

#include "base/check.h"
#include "base/text.h"

namespace postern {

namespace {

constexpr std::array<std::string_view, 6> kLevelNames{"Debug", "Info", "Warning", "Error", "Fatal", "Panic"};
static_assert(kLevelNames.size() == static_cast<size_t>(LogLevel::kCount));

// Lines before a role has its log: `postern: Error: text` on stderr.
class StderrSink final : public LogSink {
 public:
  void line(LogLevel level, std::string_view text) override {
    std::string out = "postern: ";
    out.append(name_of(level)).append(": ").append(text).append("\n");
    [[maybe_unused]] const ssize_t n = ::write(2, out.data(), out.size());
  }
  void event(const LogEvent& e) override { line(e.level, line_of(e)); }
};

StderrSink stderr_sink;
LogSink* current = &stderr_sink;

struct FormatWord {
  std::string_view name;
  std::string_view LogEvent::*part;  // null: a percent sign
};
constexpr FormatWord kFormatWords[] = {{"%$", &LogEvent::message},
                                       {"%{message}", &LogEvent::message},
                                       {"%s", &LogEvent::elements},
                                       {"%{elements}", &LogEvent::elements},
                                       {"%%", nullptr}};

const FormatWord* format_word(std::string_view text) {
  for (const FormatWord& w : kFormatWords)
    if (text.starts_with(w.name)) return &w;
  return nullptr;
}

}  // namespace

std::string_view name_of(LogLevel level) { return kLevelNames[static_cast<size_t>(level)]; }

std::string line_of(const LogEvent& event) {
  if (event.elements.empty()) return std::string(event.message);
  std::string out;
  for (std::string_view rest = event.format; !rest.empty();) {
    const FormatWord* word = format_word(rest);
    out += word == nullptr ? rest.substr(0, 1) : word->part == nullptr ? "%" : event.*(word->part);
    rest.remove_prefix(word == nullptr ? 1 : word->name.size());
  }
  return out;
}

std::string log_format_problem(std::string_view format) {
  constexpr std::string_view kAccepted = "; accepted: %$ (the text), %s (the elements), %%";
  bool has_message = false;
  for (std::string_view rest = format; !rest.empty();) {
    const FormatWord* word = format_word(rest);
    if (word == nullptr && rest[0] == '%')
      return std::string("has an unknown variable ").append(printable(rest.substr(0, 2))).append(kAccepted);
    has_message |= word != nullptr && word->part == &LogEvent::message;
    rest.remove_prefix(word == nullptr ? 1 : word->name.size());
  }
  return has_message ? std::string() : std::string("lacks %$, the text").append(kAccepted);
}

void set_log_sink(LogSink* sink) { current = sink != nullptr ? sink : &stderr_sink; }
LogSink& log_sink() { return *current; }

void fatal(int status, std::string_view text) {
  log_sink().line(LogLevel::Fatal, text);
  log_sink().flush();
  ::_exit(status);
}

void panic(const char* file, int line, std::string_view text) {
  log_sink().line(LogLevel::Panic, std::string(file) + ":" + std::to_string(line) + ": " + std::string(text));
  log_sink().flush();
  ::abort();
}

}  // namespace postern
