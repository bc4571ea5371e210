#include "master/environment.h"

#include <errno.h>
#include <fmt/core.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "conf/row.h"
#include "conf/services.h"
#include "master/boot_files.h"
#include "master/file_access.h"
#include "master/listeners.h"
#include "master/trial.h"
#include "role/jail.h"
#include "sasl/mechanisms.h"

namespace postern {

namespace {

struct RoleRow {
  const char* executable;
  Role role;
};
constexpr RoleRow kRoles[] = {{"postern-login", Role::Login},
                              {"postern-auth", Role::Auth},
                              {"postern-auth-worker", Role::AuthWorker},
                              {"postern-state", Role::State},
                              {"postern-log", Role::Log}};

// Beside two descriptors per connection: log, control, listeners, auth, what libraries want.
constexpr int64_t kSpareDescriptors = 64;

int64_t raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<int64_t>(std::min<rlim_t>(limit.rlim_cur, 1 << 30));
}

// In a user namespace uid 0 may be all there is: ask the kernel, in a process that ends at once.
bool can_jail() {
  const pid_t pid = ::fork();
  if (pid == 0) {
    const bool able = ::chroot("/") == 0 && ::setgroups(0, nullptr) == 0 && ::setresgid(65534, 65534, 65534) == 0 &&
                      ::setresuid(65534, 65534, 65534) == 0;
    ::_exit(able ? 0 : 1);
  }
  int status = 1;
  while (pid > 0 && ::waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
  return pid > 0 && status == 0;
}

Result<std::string> find_base_dir(const Configuration& configuration, bool root) {
  const std::string& set = configuration.settings.text(Key::base_dir);
  if (root || set != Settings().text(Key::base_dir)) return set;
  const char* runtime = ::getenv("XDG_RUNTIME_DIR");
  if (runtime == nullptr || runtime[0] != '/')
    return Error(
        fmt::format("base_dir = {}: only root can use the default, and XDG_RUNTIME_DIR is not set; set base_dir to a "
                    "folder of your own",
                    set));
  return std::string(runtime) + "/postern";
}

void check_user(const ServiceSettings& service, Findings& findings) {
  if (service.user.empty()) return;
  const auto identity = find_identity(service.user, service.group);
  if (!identity) {
    findings.errors.push_back(
        fmt::format("service {}: {}; make it with: adduser --system --group --no-create-home --home /nonexistent {}",
                    service.name, identity.error(), service.user));
    return;
  }
  if (role_of(service) == Role::Login && identity->uid == 0)
    findings.errors.push_back(
        fmt::format("service {}: user = {}: login processes must not run as root", service.name, service.user));
}

void check_program(const ServiceSettings& service, const std::string& program, Findings& findings) {
  if (::access(program.c_str(), X_OK) != 0)
    findings.errors.push_back(fmt::format("service {}: executable = {}: {}", service.name, program, strerror(errno)));
}

void check_limits(const ServiceSettings& service, const Environment& environment, Findings& findings) {
  const int64_t effective = effective_client_limit(service, environment.descriptors);
  const int64_t wanted = effective_client_limit(service, INT64_MAX);
  if (effective < wanted)
    findings.warnings.push_back(
        fmt::format("service {}: client_limit = {} needs {} descriptors, but the limit (ulimit -n) is {}: using {}",
                    service.name, wanted, 2 * wanted + kSpareDescriptors, environment.descriptors, effective));
}

void check_tls(const Configuration& configuration, Findings& findings) {
  const BootFiles files = read_boot_files(configuration, findings.errors);
  check_certificates(configuration, files, findings.errors);
  const Settings& settings = configuration.settings;
  if (!settings.text(Key::ssl_cert).empty() || settings.text(Key::ssl) == "no") return;
  if (settings.text(Key::ssl) == "required")
    findings.errors.push_back("ssl = required: ssl_cert and ssl_key are not set");
  else findings.warnings.push_back("ssl = yes, but ssl_cert is not set: clients are not offered TLS");
}

// Without variables in its path the file must be there; auth reads it, and reads it again when it changes.
void check_user_file(const DatabaseSettings& database, Findings& findings) {
  if (database.driver != "passwd-file") return;
  const size_t path = database.args.rfind(" /") == std::string::npos ? 0 : database.args.rfind(" /") + 1;
  const std::string file = database.args.substr(path);
  if (file.find('%') == std::string::npos && ::access(file.c_str(), F_OK) != 0)
    findings.errors.push_back(
        fmt::format("{}: {}: args = {}: {}: {}", database.where, database.name, database.args, file, strerror(errno)));
}

void check_listeners(const Configuration& configuration, const Environment& environment, Findings& findings) {
  const auto plans = plan_listeners(configuration, environment);
  if (!plans) return findings.errors.push_back(plans.error());
  for (const ListenerPlan& plan : *plans) check_listener(plan, environment, findings);
}

// What a service's processes must be able to do with the file or folder that `key` names.
void check_access(Status (*check)(const std::string& path, const Identity* user), Key key,
                  const ServiceSettings& service, const Configuration& configuration, const Environment& environment,
                  Findings& findings) {
  const auto user = environment.privileged ? find_identity(service.user, service.group) : Result<Identity>(Identity{});
  if (!user) return;  // said elsewhere
  const std::string& path = configuration.settings.text(key);
  const Status usable = check(path, environment.privileged ? &*user : nullptr);
  if (usable) return;
  const std::string who = environment.privileged ? " (for user " + service.user + ")" : "";
  findings.errors.push_back(
      fmt::format("{}{} = {}: {}{}", configuration.place_of(key), row_of(key).name, path, usable.error(), who));
}

// Without its keytab no ticket is ever good, and Kerberos' library loses memory with each that comes.
bool wants_keytab(const ServiceSettings& service, const Settings& settings) {
  const auto offered = select_mechanisms(settings.list(Key::auth_mechanisms));
  const bool any =
      std::any_of(offered.begin(), offered.end(), [](const MechanismInfo* mechanism) { return mechanism->keytab; });
  return any && role_of(service) == Role::Auth && !settings.text(Key::auth_krb5_keytab).empty();
}

Status make_folder(const std::string& path, mode_t mode, const Identity* owner) {
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST)
    return Error(fmt::format("mkdir({}): {}", path, strerror(errno)));
  struct stat st;
  if (::stat(path.c_str(), &st) != 0 || !S_ISDIR(st.st_mode)) return Error(fmt::format("{} is not a folder", path));
  if (owner != nullptr && (st.st_uid != owner->uid || st.st_gid != owner->gid) &&
      ::chown(path.c_str(), owner->uid, owner->gid) != 0)
    return Error(fmt::format("chown({}): {}", path, strerror(errno)));
  if ((st.st_mode & 07777) == mode) return {};
  if ((st.st_mode & 07777 & ~mode) != 0)
    log_warning(fmt::format("{} had mode {:04o}, now {:04o}", path, static_cast<unsigned>(st.st_mode & 07777),
                            static_cast<unsigned>(mode)));
  if (::chmod(path.c_str(), mode) != 0) return Error(fmt::format("chmod({}): {}", path, strerror(errno)));
  return {};
}

ServiceKind kind_of(const ServiceSettings& service) {
  const ServiceRow* row = find_service(service.name);
  return row == nullptr ? ServiceKind::Internal : row->kind;
}

// What its processes run: only an internal service's or a login service's executable is one of our programs.
std::string_view role_program(const ServiceSettings& service) {
  return kind_of(service) == ServiceKind::Delivery ? kLoginProgram : std::string_view(service.executable);
}

std::string absolute(std::string_view program, const Configuration& configuration) {
  return program.starts_with('/') ? std::string(program)
                                  : configuration.settings.text(Key::libexec_dir) + "/" + std::string(program);
}

}  // namespace

bool has_mail_program(const ServiceSettings& service) {
  return service.enabled && serves_local_users(kind_of(service)) && !service.executable.empty();
}

std::string mail_program_of(const ServiceSettings& service, const Configuration& configuration) {
  const auto words = split_words(service.executable);
  return absolute(words.empty() ? std::string_view() : words[0], configuration);
}

std::optional<Role> role_of(const ServiceSettings& service) {
  if (!service.enabled || kind_of(service) == ServiceKind::Mail) return std::nullopt;
  std::string_view program = role_program(service);
  program.remove_prefix(program.rfind('/') + 1);
  for (const RoleRow& row : kRoles)
    if (program == row.executable) return row.role;
  return std::nullopt;
}

std::string program_of(const ServiceSettings& service, const Configuration& configuration) {
  return absolute(role_program(service), configuration);
}

bool is_one_shot(const ServiceSettings& service) {
  return role_of(service) == Role::Login && service.service_count == 1;
}

int64_t effective_client_limit(const ServiceSettings& service, int64_t descriptors) {
  int64_t limit = std::max<int64_t>(service.client_limit, 1);
  if (service.service_count > 0 && role_of(service) == Role::Login) limit = std::min(limit, service.service_count);
  return std::max<int64_t>(1, std::min(limit, (descriptors - kSpareDescriptors) / 2));
}

Result<Environment> look_around(const Configuration& configuration) {
  Environment environment;
  const bool root = ::geteuid() == 0;
  environment.privileged = root && can_jail();
  environment.descriptors = raise_descriptor_limit();
  auto base_dir = find_base_dir(configuration, root);
  if (!base_dir) return Error(base_dir.error());
  environment.base_dir = std::move(*base_dir);
  if (!environment.privileged)
    environment.missing =
        fmt::format("{}: all processes run as uid {}, without chroot and without a user of their own",
                    root ? "this system does not let root change users" : "not started as root", ::geteuid());
  return environment;
}

Findings check_environment(const Configuration& configuration, const Environment& environment) {
  Findings findings;
  for (const ServiceSettings& service : configuration.services) {
    if (has_mail_program(service)) check_program(service, mail_program_of(service, configuration), findings);
    if (!role_of(service)) continue;
    if (environment.privileged) check_user(service, findings);
    check_program(service, program_of(service, configuration), findings);
    if (role_of(service) == Role::Login && !is_one_shot(service)) check_limits(service, environment, findings);
    if (kind_of(service) == ServiceKind::Delivery)
      check_access(check_temp_folder, Key::mail_temp_dir, service, configuration, environment, findings);
    if (wants_keytab(service, configuration.settings))
      check_access(check_readable, Key::auth_krb5_keytab, service, configuration, environment, findings);
  }
  check_tls(configuration, findings);
  for (const auto* databases : {&configuration.passdbs, &configuration.userdbs})
    for (const DatabaseSettings& database : *databases) check_user_file(database, findings);
  check_listeners(configuration, environment, findings);
  if (findings.errors.empty()) try_services(configuration, environment, findings);
  return findings;
}

Status make_folders(const Configuration& configuration, const Environment& environment) {
  const Identity root;
  if (const Status made = make_folder(environment.base_dir, 0755, environment.privileged ? &root : nullptr); !made)
    return made;
  Identity login;  // root:posternlogin, so that login processes can enter but not change it
  if (environment.privileged) {
    auto found = find_identity(configuration.settings.text(Key::default_login_user), "");
    if (!found) return Error(found.error());
    login.gid = found->gid;
  }
  return make_folder(environment.base_dir + "/login", 0750, environment.privileged ? &login : nullptr);
}

Status limit_master(const Environment& environment) {
  if (!environment.privileged) return {};
  // AUDIT_WRITE: PAM fails without it in an auth-worker that runs as root.
  constexpr unsigned kKept[] = {CAP_CHOWN,        CAP_KILL,         CAP_SYS_CHROOT,
                                CAP_SETUID,       CAP_SETGID,       CAP_NET_BIND_SERVICE,
                                CAP_DAC_OVERRIDE, CAP_SYS_RESOURCE, CAP_AUDIT_WRITE};
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (::syscall(SYS_capget, &header, data) != 0) return Error(std::string("capget: ") + strerror(errno));
  __user_cap_data_struct kept[2] = {};
  for (const unsigned capability : kKept) {
    const unsigned word = capability / 32, bit = 1U << (capability % 32);
    kept[word].permitted |= data[word].permitted & bit;
    kept[word].effective |= data[word].permitted & bit;
  }
  if (::syscall(SYS_capset, &header, kept) != 0) return Error(std::string("capset: ") + strerror(errno));
  return {};
}

}  // namespace postern
