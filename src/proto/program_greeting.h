// What a local mail program says before it serves its user (DECISIONS section 8). Pure.
#ifndef POSTERN_PROTO_PROGRAM_GREETING_H
#define POSTERN_PROTO_PROGRAM_GREETING_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace postern {

struct ProgramGreeting {
  enum class State : uint8_t {
    Waiting,  // not yet complete
    Ready,    // the user is logged in; what follows belongs to him
    Wrong,    // not what a program for this protocol says first
  };
  State state = State::Waiting;
  size_t taken = 0;          // Ready: bytes that were the greeting
  std::string capabilities;  // for AnswerKind::LocalAccepted; empty: not told
};

// A longer greeting is Wrong.
inline constexpr size_t kMaxProgramGreeting = 8192;

}  // namespace postern

#endif
