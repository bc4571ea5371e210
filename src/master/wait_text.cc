#include "master/wait_text.h"

#include <fmt/core.h>
#include <sys/wait.h>

#include "base/check.h"

namespace postern {

namespace {

struct Meaning {
  int status;
  const char* text;
};
constexpr Meaning kMeanings[] = {
    {kExitUsage, "not started by the master"}, {kExitNoUser, "no such user"},  {kExitSoftware, "internal error"},
    {kExitOs, "operating system error"},       {kExitConfig, "configuration"}, {kExitExecFailed, "exec failed"},
    {127, "a shared library is missing"},
};

std::string meaning_of(int status, int64_t vsz_limit) {
  if (status == kExitOutOfMemory)
    return fmt::format(" (out of memory: raise vsz_limit, now {} M)", vsz_limit / (1024 * 1024));
  for (const Meaning& meaning : kMeanings)
    if (meaning.status == status) return fmt::format(" ({})", meaning.text);
  return {};
}

}  // namespace

bool ended_clean(int wait_status) { return WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0; }

std::string describe_end(uint32_t pid, int wait_status, int64_t vsz_limit) {
  if (ended_clean(wait_status)) return {};
  if (WIFEXITED(wait_status)) {
    const int status = WEXITSTATUS(wait_status);
    return fmt::format("child {} returned error {}{}", pid, status, meaning_of(status, vsz_limit));
  }
  const char* core = WCOREDUMP(wait_status) ? "core dumped" : "core dumps disabled";
  return fmt::format("child {} killed with signal {} ({})", pid, WTERMSIG(wait_status), core);
}

}  // namespace postern
