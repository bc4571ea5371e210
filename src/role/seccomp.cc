#include "role/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <memory>
#include <span>

#include "config.h"

#if defined(HAVE_SECCOMP) && !defined(POSTERN_SANITIZED)
#include <seccomp.h>
#define POSTERN_FILTERS 1
#endif

namespace postern {

#ifdef POSTERN_FILTERS

namespace {

constexpr const char* kLoginCalls[] = {
    // descriptors that are open
    "read", "write", "readv", "writev", "pread64", "recvmsg", "recvmmsg", "sendmsg", "sendmmsg", "recvfrom", "sendto",
    "close", "close_range", "shutdown", "splice", "lseek", "fstat", "newfstatat", "fcntl", "dup",
    // sockets and waiting
    "accept4", "accept", "bind", "connect", "getsockopt", "setsockopt", "getsockname", "getpeername", "socketpair",
    "pipe2", "eventfd2", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll",
    "select", "pselect6", "timerfd_create", "timerfd_settime", "timerfd_gettime",
    // time and chance
    "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time", "getrandom",
    // memory
    "brk", "munmap", "mremap", "madvise",
    // this process
    "futex", "rseq", "set_robust_list", "membarrier", "sched_yield", "sched_getaffinity", "rt_sigaction",
    "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "sigaltstack", "restart_syscall", "exit", "exit_group", "getpid",
    "getppid", "gettid", "getuid", "geteuid", "getgid", "getegid", "tgkill", "getrusage", "sysinfo", "uname",
    "prlimit64", "getrlimit"};

constexpr const char* kForkCalls[] = {"clone", "fork", "vfork", "wait4", "waitid", "kill", "set_tid_address"};

using Filter = std::unique_ptr<void, void (*)(scmp_filter_ctx)>;

// Calls that this architecture does not have are left out.
int allow(const Filter& filter, std::span<const char* const> names) {
  for (const char* name : names) {
    const int number = ::seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR) continue;
    if (const int failed = ::seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, number, 0); failed != 0 && failed != -EDOM)
      return failed;
  }
  return 0;
}

int allow_when(const Filter& filter, int call, scmp_arg_cmp condition) {
  return ::seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 1, condition);
}

// O_TMPFILE holds O_DIRECTORY's bit, which alone opens nothing to write to. Nothing that exists can be opened this way.
int allow_temporary_files(const Filter& filter) {
  return allow_when(filter, SCMP_SYS(openat), SCMP_CMP(2, SCMP_CMP_MASKED_EQ, O_TMPFILE, O_TMPFILE));
}

// No executable memory, no sockets but these families, of ioctl only what asks a socket.
int allow_with_arguments(const Filter& filter) {
  int failed = 0;
  for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)})
    failed = failed != 0 ? failed : allow_when(filter, call, SCMP_CMP(2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
  for (const unsigned family : {AF_INET, AF_INET6, AF_UNIX})
    failed = failed != 0 ? failed : allow_when(filter, SCMP_SYS(socket), SCMP_CMP(0, SCMP_CMP_EQ, family));
  for (const unsigned long request : {static_cast<unsigned long>(FIONREAD), static_cast<unsigned long>(FIONBIO)})
    failed = failed != 0 ? failed : allow_when(filter, SCMP_SYS(ioctl), SCMP_CMP(1, SCMP_CMP_EQ, request));
  // glibc takes ENOSYS as the sign to use clone.
  return failed != 0 ? failed : ::seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

Status failure(int error) { return Error(std::string("seccomp: ") + strerror(-error)); }

}  // namespace

Status install_seccomp(Role role, const ExtraCalls& extra) {
  if (role != Role::Login) return {};
  const Filter filter(::seccomp_init(SCMP_ACT_ERRNO(EPERM)), &::seccomp_release);
  if (filter == nullptr) return Error("seccomp: no filter");
  // Best effort: needs a kernel that can log refused calls.
  ::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_LOG, 1);
  if (const int failed = allow(filter, kLoginCalls)) return failure(failed);
  if (const int failed = extra.forks ? allow(filter, kForkCalls) : 0) return failure(failed);
  if (const int failed = extra.temporary_files ? allow_temporary_files(filter) : 0) return failure(failed);
  if (const int failed = allow_with_arguments(filter)) return failure(failed);
  if (const int failed = ::seccomp_load(filter.get())) return failure(failed);
  return {};
}

#else

Status install_seccomp(Role, const ExtraCalls&) { return {}; }

#endif

}  // namespace postern
