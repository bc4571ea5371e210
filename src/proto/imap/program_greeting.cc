// "* PREAUTH [CAPABILITY ...] text": the program takes our word for who the user is (RFC 3501, 7.1.4).
#include "base/text.h"
#include "proto/imap/protocol.h"
#include "proto/imap/strings.h"
#include "proto/line_reader.h"

namespace postern::imap {

ProgramGreeting read_program_greeting(std::string_view received) {
  using State = ProgramGreeting::State;
  constexpr std::string_view kWord = "* PREAUTH ";
  const Line line = next_line(received, kMaxProgramGreeting);
  if (line.status == Line::Status::Incomplete) return {};
  if (line.status == Line::Status::TooLong || has_nul(line.text) || !istarts_with(line.text, kWord))
    return {State::Wrong, 0, {}};
  const auto list = capability_code(line.text.substr(kWord.size()));
  return {State::Ready, line.taken, list ? printable(*list, kMaxProgramGreeting) : std::string()};
}

}  // namespace postern::imap
