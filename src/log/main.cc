// postern-log: writes what all other processes have to say.
#include <signal.h>
#include <unistd.h>

#include "base/log.h"
#include "log/router.h"
#include "role/role.h"

namespace postern {

namespace {

constexpr JailSpec kJail{};  // its files are opened by the master; syslog's socket it must be able to find again

class LogProcess {
 public:
  explicit LogProcess(RoleProcess& process)
      : process_(process), router_(process.loop(), process.boot().configuration.settings, process.boot().to_stderr) {}

  void on(const InputOpened& input, std::span<Fd> descriptors) {
    if (!descriptors.empty()) router_.add_input(input.service, std::move(descriptors[0]));
  }
  void on(const ReopenLogs&, std::span<Fd> descriptors) { router_.open_files(descriptors); }
  void on(const PeerOpened&) {}
  void on(const StopChild&) { end(); }

  // The others go on, and are still heard: until the last of them has ended.
  void orphaned() {
    set_log_sink(nullptr);
    ::close(kLogFd);
    router_.on_no_inputs([this] { end(); });
    if (!router_.has_inputs()) end();
  }

 private:
  void end() {
    router_.finish();
    process_.loop().stop();
  }

  RoleProcess& process_;
  LogRouter router_;
};

int log_main(int argc, char** argv) {
  RoleProcess process(Role::Log, argc, argv);
  ::signal(SIGTERM, SIG_IGN);  // sent to all at once by some service managers; this one has to be the last
  process.enter_jail(kJail);
  LogProcess log(process);
  process.open_control(
      [&log](std::string_view packet, std::span<Fd> descriptors) {
        if (const Status status = dispatch(packet, descriptors, Role::Master, Role::Log, log); !status)
          fatal(kExitSoftware, status.error());
      },
      [&log] { log.orphaned(); });
  process.show("");
  return process.run(0);
}

}  // namespace

}  // namespace postern

int main(int argc, char** argv) { return postern::log_main(argc, argv); }
