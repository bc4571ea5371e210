// One log line in the three forms of DECISIONS section 7. Pure.
#ifndef POSTERN_LOG_FORMAT_H
#define POSTERN_LOG_FORMAT_H

#include <cstdint>
#include <string>
#include <string_view>

#include "role/log_framing.h"

namespace postern {

struct LogLine {
  std::string_view service;
  uint32_t pid = 0;  // 0: not known
  uint64_t wall_milliseconds = 0;
  LogRecord record;
};

// "Nov 21 05:39:43 imap-login: Info: text\n"; `timestamp` is for strftime(3), local time.
std::string format_for_file(const LogLine& line, const std::string& timestamp);
// "imap-login: text", "imap-login: Error: text": what stands behind the ident.
std::string format_for_syslog(const LogLine& line);
// One object, with "ts", "level", "service", "pid" and "msg", without a newline.
std::string format_as_json(const LogLine& line);
// LOG_INFO, LOG_WARNING, LOG_ERR, LOG_CRIT or LOG_DEBUG.
int syslog_priority(LogLevel level);

}  // namespace postern

#endif
