// The text of a message on its way in and out (RFC 5321 section 4.5.2; LMTP-15, LMTP-40, SEC-20). Inside, a message has
// CRLF at the end of each line, no other CR or LF and no NUL, wherever it came from and wherever it goes. Pure.
#ifndef POSTERN_PROTO_SMTP_MESSAGE_TEXT_H
#define POSTERN_PROTO_SMTP_MESSAGE_TEXT_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace postern::smtp {

// Brings any bytes into the inner form: a bare LF becomes CRLF, a bare CR a blank (it is no line end, and RFC 5321
// section 2.3.8 forbids to send it), NUL a blank (RFC 6152 forbids it; who leaves it out would find an end in CRLF NUL
// . CRLF). However the bytes are cut, the result is the same.
class LineEnds {
 public:
  void append(std::string_view bytes, std::string& out);
  // Behind the last byte.
  void finish(std::string& out);

 private:
  bool held_cr_ = false;  // whether it is bare is told by the next byte
};

// Reads what follows 354: takes the dots away and finds the end, which is CRLF . CRLF and nothing else.
class DataReader {
 public:
  // Appends the message, in the inner form; returns the number of bytes taken, all of them unless the end was among
  // them.
  size_t read(std::string_view input, std::string& out);
  bool at_end() const { return state_ == State::End; }

 private:
  // What was read last: the start or CRLF; CRLF and a dot; CRLF, a dot, CR; something else; CR.
  enum class State : uint8_t { LineStart, Dot, DotCr, InLine, Cr, End };
  size_t read_lines(std::string_view input, std::string& out);
  State after(char c, std::string& out);

  State state_ = State::LineStart;
  LineEnds ends_;
};

// Dots for what follows 354. `in_line`, false before the first piece, is what is kept between pieces.
void stuff_dots(std::string_view piece, bool& in_line, std::string& out);
// What ends the message behind its last piece.
std::string_view end_of_data(bool in_line);

}  // namespace postern::smtp

#endif
