// How a process ended, in words (MASTER-30). Pure.
#ifndef POSTERN_MASTER_WAIT_TEXT_H
#define POSTERN_MASTER_WAIT_TEXT_H

#include <cstdint>
#include <string>

namespace postern {

// Whether `wait_status` is exit status 0.
bool ended_clean(int wait_status);
// "child 123 returned error 83 (out of memory: raise vsz_limit, now 256 M)", "child 123 killed with signal 11
// (core dumped)"; empty for a clean end.
std::string describe_end(uint32_t pid, int wait_status, int64_t vsz_limit);

// Exit statuses of a child that never came to main().
inline constexpr int kExitOutOfMemory = 83, kExitExecFailed = 84;

}  // namespace postern

#endif
