#include "role/log_framing.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace postern {

namespace {

constexpr std::string_view kLevelLetters = "DIWEFP";
static_assert(kLevelLetters.size() == static_cast<size_t>(LogLevel::kCount));

// Facts whose values are numbers for machines; everything else is a string.
constexpr std::array<std::string_view, 9> kNumericFacts{"rport", "lport",      "port", "in",      "out",
                                                        "ms",    "generation", "mpid", "attempts"};

void append_content(std::string& out, std::string_view text) {
  const bool cut = text.size() > kMaxLogLine;
  for (const char c : text.substr(0, kMaxLogLine)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) fmt::format_to(std::back_inserter(out), "\\x{:02x}", byte);
    else out.push_back(c);
  }
  if (cut) out.append("...");
}

void append_record_head(std::string& out, LogLevel level, char kind) {
  out.push_back(kLevelLetters[static_cast<size_t>(level)]);
  out.push_back(kind);
}

void append_member(std::string& out, std::string_view name, std::string_view value) {
  append_json_string(out, name);
  out.push_back(':');
  const bool numeric = std::find(kNumericFacts.begin(), kNumericFacts.end(), name) != kNumericFacts.end();
  if (const auto number = numeric ? parse_number(value) : std::nullopt) out.append(fmt::format_int(*number).str());
  else append_json_string(out, value);
}

std::string json_members(const LogEvent& event) {
  std::string members;
  if (!event.name.empty()) {
    append_member(members, "event", event.name);
    members.push_back(',');
  }
  append_member(members, "msg", event.message);
  for (const auto& [name, value] : event.facts) {
    members.push_back(',');
    append_member(members, name, value);
  }
  return members;
}

// The lines of what something wrote to stderr without knowing of us.
LogBatch unframed(std::string_view packet) {
  LogBatch batch;
  for (std::string_view line : split_fields(packet, '\n'))
    if (!trim(line).empty()) batch.records.push_back({LogLevel::Error, false, line});
  return batch;
}

bool parse_head(std::string_view head, LogBatch& batch) {
  const auto words = split_fields(head, ' ');
  if (words.size() != 2) return false;
  const auto pid = parse_number(words[0], UINT32_MAX), milliseconds = parse_number(words[1]);
  if (!pid || !milliseconds) return false;
  batch.pid = static_cast<uint32_t>(*pid);
  batch.wall_milliseconds = *milliseconds;
  return true;
}

std::optional<LogRecord> parse_record(std::string_view line) {
  if (line.size() < 2) return std::nullopt;
  const size_t level = kLevelLetters.find(line[0]);
  if (level == std::string_view::npos || (line[1] != 'T' && line[1] != 'J')) return std::nullopt;
  return LogRecord{static_cast<LogLevel>(level), line[1] == 'J', line.substr(2)};
}

}  // namespace

void append_batch_head(std::string& out, uint32_t pid, uint64_t wall_milliseconds) {
  fmt::format_to(std::back_inserter(out), "\x01{} {}\n", pid, wall_milliseconds);
}

void append_text_record(std::string& out, LogLevel level, std::string_view text) {
  append_record_head(out, level, 'T');
  append_content(out, text);
  out.push_back('\n');
}

void append_event_record(std::string& out, const LogEvent& event, bool json) {
  // A cut object would not parse: what is too long goes as text.
  if (const std::string members = json ? json_members(event) : std::string(); json && members.size() <= kMaxLogLine) {
    append_record_head(out, event.level, 'J');
    out.append(members).push_back('\n');
    return;
  }
  append_text_record(out, event.level, line_of(event));
}

std::optional<LogBatch> parse_log_batch(std::string_view packet) {
  if (packet.empty() || packet[0] != '\x01') return unframed(packet);
  LogBatch batch;
  const size_t head_end = packet.find('\n');
  if (head_end == std::string_view::npos || packet.back() != '\n') return std::nullopt;
  if (!parse_head(packet.substr(1, head_end - 1), batch)) return std::nullopt;
  packet.remove_prefix(head_end + 1);
  while (!packet.empty()) {
    const size_t end = packet.find('\n');
    const auto record = parse_record(packet.substr(0, end));
    if (!record) return std::nullopt;
    batch.records.push_back(*record);
    packet.remove_prefix(end + 1);
  }
  return batch;
}

void append_json_string(std::string& out, std::string_view text) {
  out.push_back('"');
  while (!text.empty()) {
    const auto byte = static_cast<unsigned char>(text[0]);
    const size_t length = utf8_length(text);
    if (length == 0) out.append("\\ufffd");
    else if (byte == '"' || byte == '\\') out.append({'\\', text[0]});
    else if (byte < 0x20 || byte == 0x7f) fmt::format_to(std::back_inserter(out), "\\u{:04x}", byte);
    else out.append(text.substr(0, length));
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  out.push_back('"');
}

}  // namespace postern
