#include "proto/smtp/message_text.h"

#include <algorithm>

namespace postern::smtp {

void LineEnds::append(std::string_view bytes, std::string& out) {
  while (!bytes.empty()) {
    if (held_cr_) {
      held_cr_ = false;
      const bool whole = bytes.front() == '\n';
      out += whole ? "\r\n" : " ";
      bytes.remove_prefix(whole ? 1 : 0);
      continue;
    }
    const size_t plain = std::min(bytes.find_first_of("\r\n"), bytes.size());
    out += bytes.substr(0, plain);
    bytes.remove_prefix(plain);
    if (bytes.empty()) return;
    held_cr_ = bytes.front() == '\r';
    if (!held_cr_) out += "\r\n";
    bytes.remove_prefix(1);
  }
}

void LineEnds::finish(std::string& out) {
  if (held_cr_) out += ' ';
  held_cr_ = false;
}

size_t DataReader::read(std::string_view input, std::string& out) {
  size_t taken = 0;
  while (taken < input.size() && !at_end()) {
    if (state_ == State::InLine)
      taken += read_line(input.substr(taken), out);
    else
      state_ = after(input[taken++], out);
  }
  return taken;
}

// As far as nothing can be an end.
size_t DataReader::read_line(std::string_view input, std::string& out) {
  const size_t length = std::min(input.find('\r'), input.size() - 1) + 1;
  ends_.append(input.substr(0, length), out);
  if (input[length - 1] == '\r') state_ = State::Cr;
  return length;
}

// The state behind `c`. What was held back because it could have been an end is told here, too.
DataReader::State DataReader::after(char c, std::string& out) {
  const std::string_view self(&c, 1);
  const State was = state_;
  if (was == State::LineStart && c == '.') return State::Dot;
  if (was == State::Dot && c == '\r') return State::DotCr;
  if (was == State::DotCr && c == '\n') {
    ends_.finish(out);
    return State::End;
  }
  if (was == State::DotCr) ends_.append("\r", out);  // the dot was a stuffed one: it is gone
  ends_.append(self, out);
  if (was == State::Cr && c == '\n') return State::LineStart;
  return c == '\r' ? State::Cr : State::InLine;
}

void stuff_dots(std::string_view piece, bool& in_line, std::string& out) {
  while (!piece.empty()) {
    if (!in_line && piece.front() == '.') out += '.';
    const size_t end = piece.find('\n');
    in_line = end == std::string_view::npos;
    const size_t length = in_line ? piece.size() : end + 1;
    out += piece.substr(0, length);
    piece.remove_prefix(length);
  }
}

std::string_view end_of_data(bool in_line) { return in_line ? "\r\n.\r\n" : ".\r\n"; }

}  // namespace postern::smtp
