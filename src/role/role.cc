#include "role/role.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <new>
#include <utility>

#include "base/log.h"
#include "role/boot_memfd.h"
#include "role/jail.h"
#include "role/seccomp.h"
#include "role/title.h"

namespace postern {

namespace {

[[noreturn]] void refuse_by_hand(const char* program, std::string_view why) {
  ::fprintf(stderr, "%s is started by postern(8), not by hand (%.*s)\n", program, static_cast<int>(why.size()),
            why.data());
  ::_exit(kExitUsage);
}

bool inherited() {
  for (const int fd : {kControlFd, kLogFd, kBootFd, kDeadManFd})
    if (::fcntl(fd, F_GETFD) < 0) return false;
  return true;
}

void ignore_signals() {
  for (const int number : {SIGPIPE, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2}) ::signal(number, SIG_IGN);
}

// Descriptors of this process' own; a program we might run must not get them.
void close_on_exec(const ChildBoot& boot) {
  for (const int fd : {kControlFd, kLogFd, kDeadManFd}) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  for (const BootListener& listener : boot.listeners)
    if (listener.fd >= 0) ::fcntl(listener.fd, F_SETFD, FD_CLOEXEC);
}

// MASTER-30: the status by which the master knows to speak of vsz_limit.
[[noreturn]] void out_of_memory() {
  constexpr std::string_view text = "out of memory\n";
  [[maybe_unused]] const ssize_t n = ::write(2, text.data(), text.size());
  ::_exit(83);
}

void must(const Status& status) {
  if (!status) fatal(kExitOs, "jail: " + status.error());
}

// MASTER-1: no user is root.
Identity identity_of(const ServiceSettings& service) {
  if (service.user.empty()) return {};
  auto identity = find_identity(service.user, service.group);
  if (!identity) fatal(kExitNoUser, "service " + service.name + ": " + identity.error());
  return *identity;
}

}  // namespace

RoleProcess::RoleProcess(Role role, int argc, char** argv) {
  const char* program = argc > 0 ? argv[0] : "this program";
  if (!inherited()) refuse_by_hand(program, "descriptors 3 to 6 are missing");
  auto boot = read_boot(kBootFd);
  if (!boot) refuse_by_hand(program, boot.error());
  ::close(kBootFd);
  boot_ = std::move(*boot);
  keep_title_room(argc, argv);
  ignore_signals();
  std::set_new_handler(&out_of_memory);
  close_on_exec(boot_);
  log_ = std::make_unique<LogClient>(kLogFd, boot_.configuration.settings.text(Key::log_format) == "json");
  trial_ = argc > 2 && argv[2] == kTrialArgument;
  if (!trial_) set_log_sink(log_.get());
  if (boot_.role != role)
    fatal(kExitSoftware, "started as " + std::string(name_of(boot_.role)) + ", but this is the program of " +
                             std::string(name_of(role)));
}

RoleProcess::~RoleProcess() {
  log_->flush();
  set_log_sink(nullptr);
}

int RoleProcess::conclude(const std::vector<std::string>& errors, const std::vector<std::string>& warnings) {
  for (const std::string& error : errors.empty() ? warnings : errors) ::fprintf(stderr, "%s\n", error.c_str());
  return errors.empty() ? kExitOk : kExitConfig;
}

const SecretString* RoleProcess::file(std::string_view path) const {
  const auto found =
      std::find_if(boot_.files.begin(), boot_.files.end(), [&](const auto& entry) { return entry.first == path; });
  return found == boot_.files.end() ? nullptr : &found->second;
}

void RoleProcess::enter_jail(const JailSpec& spec) {
  const bool as_root = boot_.privileged && ::geteuid() == 0;
  // Names are looked up while their files can still be read.
  const Identity identity = as_root ? identity_of(boot_.service) : Identity{};
  if (as_root && boot_.role == Role::Login && identity.uid == 0)
    fatal(kExitConfig, "service " + boot_.service.name + ": login processes must not run as root");
  if (spec.limit_address_space) must(limit_address_space(boot_.service.vsz_limit));
  if (as_root && spec.chroot && !boot_.chroot.empty()) must(enter_root(boot_.chroot));
  if (as_root && identity.uid != 0) {
    must(drop_bounding_set());
    must(become(identity));
    must(drop_capabilities());
  }
  must(harden_process());  // after the change of user, which resets PR_SET_DUMPABLE
  must(install_seccomp(boot_.role, {.forks = boot_.one_shot, .temporary_files = spec.temporary_files}));
}

Loop& RoleProcess::loop() {
  if (loop_ == nullptr) {
    loop_ = std::make_unique<Loop>();
    log_->attach(*loop_);
  }
  return *loop_;
}

void RoleProcess::open_control(std::function<void(std::string_view, std::span<Fd>)> packet,
                               std::function<void()> orphaned) {
  orphaned_ = std::move(orphaned);
  Channel::Events events;
  events.packet = std::move(packet);
  events.lost = [this](std::string_view) { on_orphaned(); };
  control_ = std::make_unique<Channel>(loop(), Fd(kControlFd), boot_.role, Role::Master, std::move(events));
  dead_man_.start(
      loop(), kDeadManFd, EV_READ,
      [](evutil_socket_t, short, void* self) { static_cast<RoleProcess*>(self)->on_orphaned(); }, this);
}

// The pipe's end and the control socket's end mean the same; whichever is seen first.
void RoleProcess::on_orphaned() {
  dead_man_.stop();
  if (const auto orphaned = std::exchange(orphaned_, nullptr)) orphaned();
}

int RoleProcess::run(uint32_t available) {
  if (control_ != nullptr) control_->send(ChildReady{available});
  loop().run();
  log_->flush();
  return kExitOk;
}

void RoleProcess::close_listeners() {
  for (BootListener& listener : boot_.listeners)
    if (listener.fd >= 0) ::close(std::exchange(listener.fd, -1));
}

void RoleProcess::forked() {
  POSTERN_CHECK(loop_ == nullptr, "forked from a process with a loop");
  log_->forked();
  ::close(kControlFd);
}

void RoleProcess::show(std::string_view what) {
  if (!boot_.configuration.settings.flag(Key::verbose_proctitle)) return;
  std::string title = boot_.configuration.settings.text(Key::instance_name) + ": " + boot_.service.name;
  if (!what.empty()) title.append(" [").append(what).append("]");
  set_title(title);
}

}  // namespace postern
