// How log lines travel to the log process. One packet is one batch: "\x01<pid> <milliseconds since 1970>\n",
// then lines "<level letter><T or J><content>\n". T is text, J the members of a JSON object without braces.
// Content has no control bytes. A packet that does not begin with \x01 is what a library wrote to stderr.
#ifndef POSTERN_ROLE_LOG_FRAMING_H
#define POSTERN_ROLE_LOG_FRAMING_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"

namespace postern {

inline constexpr size_t kMaxLogLine = 8 * 1024;    // longer content is cut
inline constexpr size_t kMaxLogBatch = 32 * 1024;  // a batch is sent once it is this long

struct LogRecord {
  LogLevel level = LogLevel::Error;
  bool json = false;
  std::string_view content;
};

struct LogBatch {
  uint32_t pid = 0;  // 0: unframed
  uint64_t wall_milliseconds = 0;
  std::vector<LogRecord> records;
};

void append_batch_head(std::string& out, uint32_t pid, uint64_t wall_milliseconds);
void append_text_record(std::string& out, LogLevel level, std::string_view text);
// As "message: elements", or as JSON members "event", "msg" and the facts.
void append_event_record(std::string& out, const LogEvent& event, bool json);

// Views into `packet`. Unframed text becomes one Error line per line of it; a framed packet that breaks the rules
// gives nothing.
std::optional<LogBatch> parse_log_batch(std::string_view packet);

// `text` as a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD.
void append_json_string(std::string& out, std::string_view text);

}  // namespace postern

#endif
