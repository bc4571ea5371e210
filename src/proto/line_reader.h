// Lines as every protocol here has them: ended by CRLF or a bare LF (IMAP-25), bounded in length.
#ifndef POSTERN_PROTO_LINE_READER_H
#define POSTERN_PROTO_LINE_READER_H

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace postern {

struct Line {
  enum class Status : uint8_t {
    Complete,    // `text` is the line without its end, `taken` includes it
    Incomplete,  // no end yet and still room
    TooLong,     // longer than allowed, whether it has an end or not; nothing is taken
  };
  Status status = Status::Incomplete;
  std::string_view text{};
  size_t taken = 0;
};

// The first line of `input`; at most `max` bytes without its end. A CR that is not followed by LF belongs to
// the line. NUL is a byte like others here: has_nul() is for protocols whose lines must not have it.
Line next_line(std::string_view input, size_t max);
inline bool has_nul(std::string_view line) { return line.find('\0') != std::string_view::npos; }

}  // namespace postern

#endif
