// The words for each answer (POP-20 to POP-27).
#ifndef POSTERN_PROTO_POP3_ANSWERS_H
#define POSTERN_PROTO_POP3_ANSWERS_H

#include <string>
#include <string_view>

#include "proto/answer.h"

namespace postern::pop3 {

// Bytes of a foreign text: with "-ERR [SYS/TEMP] " and CRLF a line stays below RFC 2449's 512.
constexpr size_t kMaxText = 480;

// Appends what the client is told, any kind but Challenge. Returns why the connection ends then; empty: it goes on.
std::string_view append_answer(std::string& out, const Answer& answer);

// Appends the refusal of what the front itself found wrong, in its own words, which it returns.
std::string_view append_refusal(std::string& out, AnswerKind kind);

}  // namespace postern::pop3

#endif
