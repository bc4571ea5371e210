#include "proto/line_reader.h"

namespace postern {

Line next_line(std::string_view input, size_t max) {
  // Looking no further than a line may reach keeps repeated calls on a growing buffer cheap.
  const std::string_view head = input.substr(0, max + 2);
  const size_t end = head.find('\n');
  if (end == std::string_view::npos)
    return {head.size() > max + 1 ? Line::Status::TooLong : Line::Status::Incomplete, {}, 0};
  const size_t length = end > 0 && input[end - 1] == '\r' ? end - 1 : end;
  if (length > max) return {Line::Status::TooLong, {}, 0};
  return {Line::Status::Complete, input.substr(0, length), end + 1};
}

}  // namespace postern
