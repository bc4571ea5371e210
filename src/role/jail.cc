#include "role/jail.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/text.h"
#include "config.h"

namespace postern {

namespace {

Error failure(const std::string& what) { return Error(what + ": " + strerror(errno)); }

Status check(bool ok, const char* what) {
  if (ok) return {};
  return failure(what);
}

}  // namespace

Result<gid_t> find_group(const std::string& name) {
  if (const auto number = parse_number(name, UINT32_MAX - 1)) return static_cast<gid_t>(*number);
  const group* entry = ::getgrnam(name.c_str());
  if (entry == nullptr) return Error("group " + name + " does not exist");
  return entry->gr_gid;
}

Result<Identity> find_identity(const std::string& user, const std::string& group) {
  Identity identity;
  if (const auto number = parse_number(user, UINT32_MAX - 1)) {
    identity.uid = identity.gid = static_cast<uid_t>(*number);
    if (const passwd* entry = ::getpwuid(identity.uid)) identity.gid = entry->pw_gid;
  } else {
    const passwd* entry = ::getpwnam(user.c_str());
    if (entry == nullptr) return Error("user " + user + " does not exist");
    identity = {entry->pw_uid, entry->pw_gid};
  }
  if (group.empty()) return identity;
  auto gid = find_group(group);
  if (!gid) return Error(gid.error());
  identity.gid = *gid;
  return identity;
}

Status harden_process() {
  const rlimit none{0, 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0) return failure("RLIMIT_CORE");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failure("PR_SET_NO_NEW_PRIVS");
#ifndef POSTERN_SANITIZED  // LeakSanitizer reads its own process by ptrace
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return failure("PR_SET_DUMPABLE");
#endif
  return {};
}

Status limit_address_space([[maybe_unused]] int64_t bytes) {
#ifndef POSTERN_SANITIZED
  if (bytes <= 0) return {};
  const rlimit limit{static_cast<rlim_t>(bytes), static_cast<rlim_t>(bytes)};
  return check(::setrlimit(RLIMIT_AS, &limit) == 0, "vsz_limit");
#else
  return {};
#endif
}

Status enter_root(const std::string& path) {
  if (::chroot(path.c_str()) != 0 || ::chdir("/") != 0) return failure("chroot(" + path + ")");
  return {};
}

Status become(const Identity& identity, const std::string& groups_of) {
  if (::setgroups(0, nullptr) != 0) return failure("setgroups");
  if (!groups_of.empty() && ::initgroups(groups_of.c_str(), identity.gid) != 0) return failure("initgroups");
  if (::setresgid(identity.gid, identity.gid, identity.gid) != 0) return failure("setresgid");
  if (::setresuid(identity.uid, identity.uid, identity.uid) != 0) return failure("setresuid");
  if (identity.uid != 0 && (::setuid(0) == 0 || ::seteuid(0) == 0)) return Error("uid 0 could be had back");
  if (identity.uid != 0 && identity.gid != 0 && (::setgid(0) == 0 || ::setegid(0) == 0))
    return Error("gid 0 could be had back");
  return {};
}

Status drop_bounding_set() {
  for (int capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability)
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) return failure("PR_CAPBSET_DROP");
  return {};
}

Status drop_capabilities() {
  if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && errno != EINVAL)
    return failure("PR_CAP_AMBIENT");
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2] = {};
  return check(::syscall(SYS_capset, &header, none) == 0, "capset");
}

}  // namespace postern
