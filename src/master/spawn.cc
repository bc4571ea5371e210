#include "master/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "ipc/boot.h"
#include "master/wait_text.h"
#include "role/role.h"
#include "role/title.h"

namespace postern {

namespace {

constexpr const char* kKeptVariables[] = {
    "TZ",
#ifdef POSTERN_SANITIZED
    "ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS",
#endif
};

std::vector<std::string> make_environment(const SpawnRequest& request) {
  std::vector<std::string> environment;
  // First, so that it stands right behind the arguments.
  environment.push_back(std::string(kTitleRoomVariable) + "=" + request.title_room);
  environment.emplace_back("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  environment.emplace_back("LD_BIND_NOW=1");  // once in the program, not again in each worker that it forks
  for (const char* name : kKeptVariables)
    if (const char* value = ::getenv(name)) environment.push_back(std::string(name) + "=" + value);
  return environment;
}

// Descriptors to be, by number; first moved out of the way of each other.
bool place_descriptors(const SpawnRequest& request) {
  std::vector<int> sources{-1, -1, request.error_output, request.control, request.log, request.boot, request.dead_man};
  sources.insert(sources.end(), request.listeners.begin(), request.listeners.end());
  const auto count = static_cast<int>(sources.size());
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int& fd : sources)
    if ((fd = ::fcntl(fd >= 0 ? fd : null, F_DUPFD_CLOEXEC, count)) < 0) return false;
  for (int number = 0; number < count; ++number)
    if (::dup2(sources[static_cast<size_t>(number)], number) < 0) return false;
  return ::close_range(static_cast<unsigned>(count), ~0U, 0) == 0;
}

[[noreturn]] void run_program(const SpawnRequest& request, char* const* arguments, char* const* environment) {
  reset_signals();
  ::umask(0077);
  if (place_descriptors(request)) ::execve(request.executable.c_str(), arguments, environment);
  const std::string text = "exec(" + request.executable + ") failed: " + strerror(errno) + "\n";
  [[maybe_unused]] const ssize_t n = ::write(2, text.data(), text.size());
  ::_exit(kExitExecFailed);
}

}  // namespace

std::vector<char*> c_strings(std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (std::string& s : strings) out.push_back(s.data());
  out.push_back(nullptr);
  return out;
}

void reset_signals() {
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// A signal that the child would take with our handlers would come out of our loop.
Result<pid_t> fork_without_signals() {
  sigset_t all, before;
  sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, &before);
  const pid_t pid = ::fork();
  if (pid == 0) return pid;
  const int error = errno;
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return Error(std::string("fork: ") + strerror(error) + (error == EAGAIN ? " (ulimit -u reached?)" : ""));
  return pid;
}

Result<pid_t> spawn(const SpawnRequest& request) {
  std::vector<std::string> arguments{request.executable, request.service}, environment = make_environment(request);
  if (request.trial) arguments.emplace_back(kTrialArgument);
  const auto argv = c_strings(arguments), envp = c_strings(environment);
  auto pid = fork_without_signals();
  if (pid && *pid == 0) run_program(request, argv.data(), envp.data());
  return pid;
}

}  // namespace postern
