#include "proto/smtp/message_text.h"

#include <algorithm>

namespace postern::smtp {

namespace {

// How much of `bytes` has the inner form already; a CRLF stays whole. Most of a message is like that: it is looked at a
// line at a time, and copied at once.
size_t sound_length(std::string_view bytes) {
  bytes = bytes.substr(0, bytes.find('\0'));
  for (size_t at = 0;;) {
    const size_t cr = std::min(bytes.find('\r', at), bytes.size());
    const size_t lf = bytes.substr(at, cr - at).find('\n');
    if (lf != std::string_view::npos) return at + lf;
    if (cr + 1 >= bytes.size() || bytes[cr + 1] != '\n') return cr;
    at = cr + 2;
  }
}

}  // namespace

void LineEnds::append(std::string_view bytes, std::string& out) {
  while (!bytes.empty()) {
    if (held_cr_) {
      held_cr_ = false;
      const bool whole = bytes.front() == '\n';
      out += whole ? "\r\n" : " ";
      bytes.remove_prefix(whole ? 1 : 0);
      continue;
    }
    const size_t sound = sound_length(bytes);
    out += bytes.substr(0, sound);
    bytes.remove_prefix(sound);
    if (bytes.empty()) return;
    held_cr_ = bytes.front() == '\r';
    if (!held_cr_) out += bytes.front() == '\n' ? "\r\n" : " ";
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
    if (state_ == State::LineStart && input[taken] != '.') state_ = State::InLine;
    if (state_ == State::InLine) taken += read_lines(input.substr(taken), out);
    else state_ = after(input[taken++], out);
  }
  return taken;
}

// Up to a line that begins with a dot, or all of it.
size_t DataReader::read_lines(std::string_view input, std::string& out) {
  size_t length = input.size();
  state_ = input.back() == '\r' ? State::Cr : State::InLine;
  for (size_t lf = input.find('\n'); lf != std::string_view::npos; lf = input.find('\n', lf + 1)) {
    const bool ends_line = lf > 0 && input[lf - 1] == '\r';
    if (!ends_line || (lf + 1 < input.size() && input[lf + 1] != '.')) continue;
    length = lf + 1;
    state_ = State::LineStart;
    break;
  }
  ends_.append(input.substr(0, length), out);
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
  if (piece.empty()) return;
  if (!in_line && piece.front() == '.') out += '.';
  size_t copied = 0;
  for (size_t lf = piece.find('\n'); lf != std::string_view::npos; lf = piece.find('\n', lf + 1)) {
    if (lf + 1 >= piece.size() || piece[lf + 1] != '.') continue;
    out += piece.substr(copied, lf + 1 - copied);
    out += '.';
    copied = lf + 1;
  }
  out += piece.substr(copied);
  in_line = piece.back() != '\n';
}

std::string_view end_of_data(bool in_line) { return in_line ? "\r\n.\r\n" : ".\r\n"; }

}  // namespace postern::smtp
