// Broken invariants end the process; the master starts another one.
#ifndef POSTERN_BASE_CHECK_H
#define POSTERN_BASE_CHECK_H

#include <string_view>

namespace postern {

// Exit statuses of role programs and of postern(8), from sysexits.h (DECISIONS section 3).
enum Exit : int {
  kExitOk = 0,
  kExitUsage = 64,
  kExitNoUser = 67,
  kExitNoHost = 68,
  kExitUnavailable = 69,
  kExitSoftware = 70,
  kExitOs = 71,
  kExitCantCreate = 73,
  kExitTempFail = 75,
  kExitNoPerm = 77,
  kExitConfig = 78,
};

// Logs `text` as Fatal and leaves with `status`, without running destructors.
[[noreturn]] void fatal(int status, std::string_view text);

// Logs `text` as Panic with its place and aborts (core dump where allowed).
[[noreturn]] void panic(const char* file, int line, std::string_view text);

}  // namespace postern

#define POSTERN_CHECK(condition, text)                            \
  do {                                                            \
    if (!(condition)) ::postern::panic(__FILE__, __LINE__, text); \
  } while (0)

#endif
