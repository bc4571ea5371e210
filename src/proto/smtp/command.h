// What SMTP and LMTP clients say: lines and commands (RFC 5321 section 4.1.1, SUB-1 to SUB-3). Pure; knows no service.
#ifndef POSTERN_PROTO_SMTP_COMMAND_H
#define POSTERN_PROTO_SMTP_COMMAND_H

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/line_reader.h"

namespace postern::smtp {

inline constexpr size_t kMaxVerb = 32;

// Cuts lines out of a stream. A line that is too long is reported once and thrown away up to its end (SUB-3); so is
// what a refused command announced (SUB-13). Ask skip() first, then next() with what it left.
class LineCutter {
 public:
  // How many bytes at the start of `input` are to be thrown away.
  size_t skip(std::string_view input);
  // The first line of `input`. TooLong: nothing is taken, skip() takes the line.
  Line next(std::string_view input, size_t max);
  // The next `bytes` are no commands.
  void discard(uint64_t bytes) { discard_ = bytes; }

 private:
  uint64_t discard_ = 0;
  bool in_long_line_ = false;
};

struct Command {
  std::string verb;             // upper case
  std::string_view parameters;  // behind the one blank, without blanks at the end; part of the line
};

// A line without its end: 1 to 32 letters, then nothing or one blank and parameters; an empty verb for a line that is
// empty or begins with a blank. Nothing when it is not that, or when it is no text (SUB-1, SUB-2).
std::optional<Command> parse_command(std::string_view line);
// How long a line that begins with `head` may be when its parameters may have `max_parameters` bytes.
size_t command_limit(std::string_view head, size_t max_parameters);

// Blanks, printable ASCII and valid UTF-8 only.
bool is_text(std::string_view text);
// The same without UTF-8: an AUTH response (SUB-2).
bool is_ascii_text(std::string_view text);
// NOOP's argument (RFC 5321 section 4.1.2): an atom or a quoted string.
bool is_string(std::string_view text);
// EHLO's argument as we hand it on: a name or an address in brackets, at most 255 bytes.
bool is_domain(std::string_view text);

// BDAT's parameters (RFC 3030): "SIZE [LAST]".
struct Chunk {
  uint64_t size = 0;
  bool last = false;
};
std::optional<Chunk> parse_chunk(std::string_view parameters);

}  // namespace postern::smtp

#endif
