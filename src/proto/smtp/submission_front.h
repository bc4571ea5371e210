// The client's side of submission before login (RFC 6409, RFC 4954; SUB-1 to SUB-35, SUB-51).
#ifndef POSTERN_PROTO_SMTP_SUBMISSION_FRONT_H
#define POSTERN_PROTO_SMTP_SUBMISSION_FRONT_H

#include <memory>
#include <string>
#include <vector>

#include "proto/front.h"

namespace postern::smtp {

// `settings` must outlive the front.
std::unique_ptr<Front> make_submission_front(const FrontSettings& settings, const ConnectionFacts& facts);

// The lines of the EHLO reply, our name first (SUB-8). They follow from the settings alone: who the backend is, and
// what it can, is not known before the login.
std::vector<std::string> ehlo_lines(const FrontSettings& settings, const ConnectionFacts& facts);

// How an outcome is told: a code, an enhanced code, and the answer's text or, without one, `text` (SUB-25).
struct AnswerRow {
  AnswerKind kind;
  unsigned code;
  std::string_view enhanced;
  std::string_view text;
  bool leaves = false;  // the connection ends: the reply is a 421
};
// Null for outcomes that are not ours to word.
const AnswerRow* answer_row(AnswerKind kind);

}  // namespace postern::smtp

#endif
