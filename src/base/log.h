// The log as every role sees it: lines with a level go to a sink; the role start-up chooses the sink.
// Text from peers passes printable() before it gets here.
#ifndef POSTERN_BASE_LOG_H
#define POSTERN_BASE_LOG_H

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace postern {

enum class LogLevel : uint8_t { Debug, Info, Warning, Error, Fatal, Panic, kCount };
// "Debug", "Info" ... as they stand in a line (DECISIONS section 7).
std::string_view name_of(LogLevel level);

inline constexpr std::string_view kLogLineFormat = "%$: %s";

// One event about a session or a request: what people read, and the same facts for machines.
struct LogEvent {
  LogLevel level = LogLevel::Info;
  std::string_view name;      // JSON "event": login, disconnect, proxy_start, proxy_end, error ...
  std::string_view message;   // the line without its elements
  std::string_view elements;  // "user=<x>, method=PLAIN, ..."; may be empty
  std::vector<std::pair<std::string_view, std::string_view>> facts;  // JSON members beside them
  std::string_view format = kLogLineFormat;  // login_log_format: how message and elements make the text line
};

// The line of an event (LOG-1): `format` with %$ and %s (2.4: %{message} and %{elements}) filled in and %% for a
// percent sign. Without elements the line is the message alone.
std::string line_of(const LogEvent& event);
// What is wrong with such a format; empty when nothing is.
std::string log_format_problem(std::string_view format);

class LogSink {
 public:
  virtual ~LogSink() = default;
  virtual void line(LogLevel level, std::string_view text) = 0;
  virtual void event(const LogEvent& event) = 0;
  // Whether anything becomes of an event's facts; else they need not be put together.
  virtual bool wants_facts() const { return false; }
  // Hands over whatever is held back; called before the process ends.
  virtual void flush() {}
};

// Where lines go from now on; `sink` must outlive its use. Before the first call: stderr.
void set_log_sink(LogSink* sink);
LogSink& log_sink();

inline void log_debug(std::string_view text) { log_sink().line(LogLevel::Debug, text); }
inline void log_info(std::string_view text) { log_sink().line(LogLevel::Info, text); }
inline void log_warning(std::string_view text) { log_sink().line(LogLevel::Warning, text); }
inline void log_error(std::string_view text) { log_sink().line(LogLevel::Error, text); }

}  // namespace postern

#endif
