#include "log/format.h"

#include <fmt/format.h>
#include <syslog.h>
#include <time.h>

#include <array>

namespace postern {

namespace {

struct LevelRow {
  std::string_view json;
  std::string_view syslog_word;  // what stands before the text
  int priority;
};
constexpr std::array<LevelRow, static_cast<size_t>(LogLevel::kCount)> kLevels{{
    {"debug", "Debug: ", LOG_DEBUG},
    {"info", "", LOG_INFO},
    {"warning", "Warning: ", LOG_WARNING},
    {"error", "Error: ", LOG_ERR},
    {"fatal", "Fatal: ", LOG_CRIT},
    {"panic", "Panic: ", LOG_CRIT},
}};
const LevelRow& row_of(LogLevel level) { return kLevels[static_cast<size_t>(level)]; }

tm broken_down(uint64_t wall_milliseconds, tm* (*convert)(const time_t*, tm*)) {
  const auto seconds = static_cast<time_t>(wall_milliseconds / 1000);
  tm out{};
  convert(&seconds, &out);
  return out;
}

std::string formatted_time(const std::string& format, uint64_t wall_milliseconds) {
  const tm local = broken_down(wall_milliseconds, &::localtime_r);
  char text[256];
  return {text, ::strftime(text, sizeof text, format.c_str(), &local)};
}

std::string rfc3339(uint64_t wall_milliseconds) {
  const tm utc = broken_down(wall_milliseconds, &::gmtime_r);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                     utc.tm_hour, utc.tm_min, utc.tm_sec, wall_milliseconds % 1000);
}

}  // namespace

std::string format_for_file(const LogLine& line, const std::string& timestamp) {
  return fmt::format("{}{}: {}: {}\n", formatted_time(timestamp, line.wall_milliseconds), line.service,
                     name_of(line.record.level), line.record.content);
}

std::string format_for_syslog(const LogLine& line) {
  return fmt::format("{}: {}{}", line.service, row_of(line.record.level).syslog_word, line.record.content);
}

std::string format_as_json(const LogLine& line) {
  std::string out = fmt::format("{{\"ts\":\"{}\",\"level\":\"{}\",\"service\":", rfc3339(line.wall_milliseconds),
                                row_of(line.record.level).json);
  append_json_string(out, line.service);
  fmt::format_to(std::back_inserter(out), ",\"pid\":{},", line.pid);
  if (line.record.json) {
    out.append(line.record.content);
  } else {
    out.append("\"msg\":");
    append_json_string(out, line.record.content);
  }
  return out + "}";
}

int syslog_priority(LogLevel level) { return row_of(level).priority; }

}  // namespace postern
