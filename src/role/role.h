// What all child processes share: inherited descriptors, settings, log, control channel, the jail.
#ifndef POSTERN_ROLE_ROLE_H
#define POSTERN_ROLE_ROLE_H

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "event/loop.h"
#include "ipc/boot.h"
#include "ipc/channel.h"
#include "role/log_client.h"

namespace postern {

// argv[2] of a process that the master starts only to hear whether it could: for checks that only the role's own code
// can make. Its findings go to stderr, one a line; they are no log.
inline constexpr std::string_view kTrialArgument = "--trial";

// What a role gives up, in the order of PRIV-8. The policy is a constant in the role's main file.
struct JailSpec {
  bool chroot = false;               // into ChildBoot::chroot
  bool limit_address_space = false;  // vsz_limit (not in sanitizer builds)
  bool temporary_files = false;      // may make files without a name in folders opened before
};

// One per process, first thing in main().
class RoleProcess {
 public:
  // Reads the boot memfd, sends the log to kLogFd, ignores SIGPIPE and what a terminal sends (INT, HUP, QUIT).
  // Refuses to start by hand: without the descriptors of BootFd it prints who starts it and exits 64.
  RoleProcess(Role role, int argc, char** argv);
  ~RoleProcess();

  const ChildBoot& boot() const { return boot_; }
  // Where the keys of session tickets begin; to be had once, and then not kept here.
  SecretString take_ticket_seed() { return std::move(boot_.ticket_seed); }
  bool is_trial() const { return trial_; }
  // Ends a trial: prints what is wrong, or, when nothing is, what to warn of; the value of main().
  static int conclude(const std::vector<std::string>& errors, const std::vector<std::string>& warnings = {});
  // Content of a file that the master read for us, by its path; null when it is not among them. PEM that stands in
  // the settings itself is found by itself.
  const SecretString* file(std::string_view path) const;
  // Drops user, group, capabilities and the file system as far as the process started with them, and verifies
  // that nothing can be had back (MASTER-42). Exits on failure.
  void enter_jail(const JailSpec& spec);
  // Made at the first call: in the process that runs the loop, after any fork.
  Loop& loop();
  // Opens the control channel; `packet` gets what the master sends (StopChild, PeerOpened ...).
  // The master's death calls `orphaned` once: close listeners, serve what is there (ARCHITECTURE 8).
  void open_control(std::function<void(std::string_view, std::span<Fd>)> packet, std::function<void()> orphaned);
  Channel& control() { return *control_; }
  // Sends ChildReady and runs the loop to its end; the value of main().
  int run(uint32_t available);

  // Closes the inherited listeners (after their watches): draining or orphaned, so that another master can bind.
  void close_listeners();
  // In a worker forked from a prepared parent (role/prepared.h): the log gets the new pid, the control socket is
  // closed. The parent must not have made a loop.
  void forked();
  // Shown by ps, with verbose_proctitle only: "postern: imap-login [what]".
  void show(std::string_view what);

 private:
  void on_orphaned();

  ChildBoot boot_;
  bool trial_ = false;
  std::unique_ptr<Loop> loop_;  // outlives the timers of what stands below
  std::unique_ptr<LogClient> log_;
  std::unique_ptr<Channel> control_;
  Watch dead_man_;
  std::function<void()> orphaned_;
};

}  // namespace postern

#endif
