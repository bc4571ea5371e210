#include "base/log.h"

#include <unistd.h>

#include <array>
#include <cstdlib>

#include "base/check.h"

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
  void event(const LogEvent& e) override {
    std::string text(e.message);
    if (!e.elements.empty()) text.append(": ").append(e.elements);
    line(e.level, text);
  }
};

StderrSink stderr_sink;
LogSink* current = &stderr_sink;

}  // namespace

std::string_view name_of(LogLevel level) { return kLevelNames[static_cast<size_t>(level)]; }
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
