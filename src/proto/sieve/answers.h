// The words for each answer (SIEVE-20, SIEVE-38, SIEVE-40).
#ifndef POSTERN_PROTO_SIEVE_ANSWERS_H
#define POSTERN_PROTO_SIEVE_ANSWERS_H

#include <string>
#include <string_view>

#include "proto/answer.h"

namespace postern::sieve {

// Appends `word (code) "text"` and a line end; the code is left out when it is empty.
void append_status(std::string& out, std::string_view word, std::string_view code, std::string_view text);

// Appends what the client is told, any kind but Challenge. Returns why the connection ends then; empty: it goes on.
std::string_view append_answer(std::string& out, const Answer& answer);

}  // namespace postern::sieve

#endif
