#include "master/mail_program.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <linux/close_range.h>
#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "config.h"
#include "master/spawn.h"
#include "role/jail.h"

namespace postern {

namespace {

constexpr size_t kMaxEnvironment = 64 * 1024, kMaxArgument = 8 * 1024;
constexpr rlim_t kDescriptors = 1024;  // ours are raised; programs with select() count on less
constexpr std::string_view kFixedVariables[] = {"PATH", "TZ", "IFS", "ENV", "BASH_ENV"};

bool is_variable_name(std::string_view name) {
  constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_", more = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
  return !name.empty() && letters.find(name[0]) != std::string_view::npos &&
         name.find_first_not_of(more) == std::string_view::npos;
}

// Collects "NAME=VALUE", each name once.
class EnvironmentBuilder {
 public:
  void add(std::string_view name, std::string_view value) {
    if (value.empty() || value.find('\0') != std::string_view::npos || has(name)) return;
    size_ += name.size() + value.size();
    if (size_ <= kMaxEnvironment) out_.push_back(fmt::format("{}={}", name, value));
  }
  void add_field(std::string_view field, std::string_view value) {
    const std::string name = to_upper(field);
    const bool fixed =
        std::find(std::begin(kFixedVariables), std::end(kFixedVariables), name) != std::end(kFixedVariables);
    if (is_variable_name(name) && !fixed && !name.starts_with("LD_")) add(name, value.empty() ? "1" : value);
  }
  std::vector<std::string> take() { return std::move(out_); }

 private:
  bool has(std::string_view name) const {
    return std::any_of(out_.begin(), out_.end(), [name](const std::string& v) {
      return v.size() > name.size() && v.starts_with(name) && v[name.size()] == '=';
    });
  }
  std::vector<std::string> out_;
  size_t size_ = 0;
};

std::string port_text(const Endpoint& e) { return e.port == 0 ? std::string() : std::to_string(e.port); }

std::string_view field_of(const StartMail& order, std::string_view name) {
  for (const auto& [have, value] : order.environment)
    if (have == name) return value;
  return {};
}

// --- in the child ---------------------------------------------------------------------------------------------

struct ProgramFds {
  int input, output, error_output;
};

struct Owner {
  uid_t uid = 0;
  gid_t gid = 0;
  std::string home, shell = "/bin/sh";
};

// Names become numbers; a gid that is not given is the system user's own.
Result<Owner> find_owner(const StartMail& order) {
  Owner owner;
  const auto number = parse_number(order.uid, UINT32_MAX - 1);
  const passwd* entry = number ? ::getpwuid(static_cast<uid_t>(*number)) : ::getpwnam(order.uid.c_str());
  if (!number && entry == nullptr) return Error("user " + printable(order.uid, 80) + " does not exist");
  owner.uid = number ? static_cast<uid_t>(*number) : entry->pw_uid;
  if (order.gid.empty() && entry == nullptr) return Error("no gid, and mail_gid is not set");
  auto gid = order.gid.empty() ? Result<gid_t>(entry->pw_gid) : find_group(order.gid);
  if (!gid) return Error(gid.error());
  owner.gid = *gid;
  owner.home = order.home;
  if (const std::string_view shell = field_of(order, "shell"); !shell.empty()) owner.shell = shell;
  return owner;
}

Status check_owner(const MailRules& rules, const Owner& owner) {
  if (!rules.privileged && owner.uid != ::geteuid())
    return Error(fmt::format("uid {}: Postern was not started as root and can serve its own uid {} only", owner.uid,
                             ::geteuid()));
  if (!rules.privileged) return {};
  if (owner.uid == 0 || owner.uid < static_cast<uint64_t>(rules.first_valid_uid))
    return Error(
        fmt::format("uid {} is below first_valid_uid = {}", owner.uid, std::max<int64_t>(rules.first_valid_uid, 1)));
  if (owner.gid == 0) return Error("gid 0 is not for users");
  return {};
}

Status limit_resources(const MailRules& rules) {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = std::min(files.rlim_max, kDescriptors);
  if (::setrlimit(RLIMIT_NOFILE, &files) != 0) return Error(std::string("RLIMIT_NOFILE: ") + strerror(errno));
  return limit_address_space(rules.vsz_limit);
}

// 0, 1 and 2; everything else is close-on-exec or closed. `failure` is moved out of the way first.
bool place_descriptors(const ProgramFds& fds, int& failure) {
  const int high = ::fcntl(failure, F_DUPFD_CLOEXEC, 3), input = ::fcntl(fds.input, F_DUPFD_CLOEXEC, 3),
            output = ::fcntl(fds.output, F_DUPFD_CLOEXEC, 3), error = ::fcntl(fds.error_output, F_DUPFD_CLOEXEC, 3);
  failure = high;
  if (::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) != 0) return false;
  return high >= 0 && input >= 0 && output >= 0 && error >= 0 && ::dup2(input, 0) == 0 && ::dup2(output, 1) == 1 &&
         ::dup2(error, 2) == 2;
}

// A home that is not there yet is the program's to make.
Status enter_home(const std::string& home) {
  if (!home.empty() && ::chdir(home.c_str()) == 0) return {};
  if (!home.empty() && errno != ENOENT) return Error("home " + printable(home) + ": " + strerror(errno));
  return ::chdir("/") == 0 ? Status() : Status(Error(std::string("chdir: ") + strerror(errno)));
}

Status run(const MailRules& rules, const StartMail& order, std::vector<std::string> arguments) {
  auto owner = find_owner(order);
  if (!owner) return Error(owner.error());
  if (const Status checked = check_owner(rules, *owner); !checked) return checked;
  if (const Status limited = limit_resources(rules); !limited) return limited;
  ::setsid();
  ::umask(0077);
  if (rules.privileged)
    if (const Status changed = become({owner->uid, owner->gid}, order.groups_of); !changed) return changed;
  if (const Status entered = enter_home(owner->home); !entered) return entered;
  auto environment = mail_environment(order, owner->home, owner->shell);
  const auto argv = c_strings(arguments), envp = c_strings(environment);
  ::execve(rules.program.c_str(), argv.data(), envp.data());
  return Error(rules.program + ": " + strerror(errno));
}

[[noreturn]] void child(const MailRules& rules, const StartMail& order, std::vector<std::string> arguments,
                        const ProgramFds& fds, int failure) {
  reset_signals();
  Status status = Error("descriptors: out of them");
  if (place_descriptors(fds, failure)) status = run(rules, order, std::move(arguments));
  [[maybe_unused]] const ssize_t n = ::write(failure, status.error().data(), status.error().size());
  ::_exit(1);
}

}  // namespace

Result<std::vector<std::string>> mail_arguments(const MailRules& rules, const StartMail& order) {
  if (order.words.size() != rules.words.size()) return Error("executable has changed: try again");
  std::vector<std::string> out;
  for (size_t i = 0; i < rules.words.size(); ++i) {
    const bool variable = i > 0 && rules.words[i].find('%') != std::string::npos;
    out.push_back(variable ? order.words[i] : rules.words[i]);
    if (out.back().size() > kMaxArgument || out.back().find('\0') != std::string::npos)
      return Error(fmt::format("argument {} of the executable is not usable", i));
  }
  return out;
}

std::vector<std::string> mail_environment(const StartMail& order, std::string_view home, std::string_view shell) {
  EnvironmentBuilder e;
  e.add("PATH", "/usr/local/bin:/usr/bin:/bin");
  if (const char* zone = ::getenv("TZ")) e.add("TZ", zone);
  for (const char* name : {"USER", "LOGNAME"}) e.add(name, order.user);
  e.add("HOME", home);
  e.add("SHELL", shell);
  e.add("MAIL", field_of(order, "mail"));
  e.add("SERVICE", order.service);
  for (const char* name : {"IP", "TCPREMOTEIP"}) e.add(name, order.remote.ip.text());
  for (const char* name : {"LOCAL_IP", "TCPLOCALIP"}) e.add(name, order.local.ip.text());
  e.add("TCPREMOTEPORT", port_text(order.remote));
  e.add("TCPLOCALPORT", port_text(order.local));
  e.add("SESSION", order.session);
  for (const auto& [name, value] : order.environment) e.add_field(name, value);
  return e.take();
}

namespace {

// The program's side of a socket, or nothing with a delivery, which has a file to read.
Result<Fd> make_socket(StartedMail& started) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
    return Error(std::string("socketpair: ") + strerror(errno));
  started.socket = Fd(pair[0]);
  ::fcntl(started.socket.get(), F_SETFL, O_NONBLOCK);
  return Fd(pair[1]);
}

Status make_pipe(Fd& read, Fd& write) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return Error(std::string("pipe: ") + strerror(errno));
  read = Fd(ends[0]);
  write = Fd(ends[1]);
  return {};
}

Status check_message(int message) {
  struct stat st;
  if (message < 0 || ::fstat(message, &st) != 0 || !S_ISREG(st.st_mode)) return Error("a delivery without a message");
  return ::lseek(message, 0, SEEK_SET) == 0 ? Status() : Status(Error(std::string("lseek: ") + strerror(errno)));
}

}  // namespace

Result<StartedMail> start_mail_program(const MailRules& rules, const StartMail& order, int message, int error_output) {
  auto arguments = mail_arguments(rules, order);
  if (!arguments) return Error(arguments.error());
  StartedMail started;
  Fd theirs, report;
  if (order.delivery) {
    if (const Status checked = check_message(message); !checked) return Error(checked.error());
    if (const Status made = make_pipe(started.socket, started.end); !made) return Error(made.error());
  } else {
    auto socket = make_socket(started);
    if (!socket) return Error(socket.error());
    theirs = std::move(*socket);
  }
  if (const Status made = make_pipe(started.failure, report); !made) return Error(made.error());
  const ProgramFds fds = order.delivery ? ProgramFds{message, error_output, error_output}
                                        : ProgramFds{theirs.get(), theirs.get(), error_output};
  const auto pid = fork_without_signals();
  if (!pid) return Error(pid.error());
  if (*pid == 0) child(rules, order, std::move(*arguments), fds, report.get());
  started.pid = *pid;
  return started;
}

}  // namespace postern
