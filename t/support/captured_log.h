// The log, for tests that read it.
#ifndef POSTERN_T_SUPPORT_CAPTURED_LOG_H
#define POSTERN_T_SUPPORT_CAPTURED_LOG_H

#include <string>
#include <string_view>

#include "base/log.h"

namespace postern {

// Takes the log while it lives: "Error: text\n" for each line.
class CapturedLog final : public LogSink {
 public:
  CapturedLog() { set_log_sink(this); }
  ~CapturedLog() override { set_log_sink(nullptr); }
  void line(LogLevel level, std::string_view text) override {
    lines += std::string(name_of(level)) + ": " + std::string(text) + "\n";
  }
  void event(const LogEvent& e) override { line(e.level, e.message); }
  std::string lines;
};

}  // namespace postern

#endif
