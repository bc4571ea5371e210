// postern-state: who is logged in; what posternctl(8) asks and orders. Holds no session; the password of a trial
// passes through on its way to auth.
#include "base/log.h"
#include "role/role.h"
#include "state/admin_server.h"
#include "state/service.h"

namespace postern {

namespace {

constexpr JailSpec kJail{};

class StateProcess {
 public:
  explicit StateProcess(RoleProcess& process)
      : process_(process),
        service_(process.loop(), static_cast<uint32_t>(::getppid()),
                 [this](KickWorkers kick) { process_.control().send(kick); }),
        auth_(process.loop()),
        admin_(process.loop(), process.boot().listeners.at(0).fd, service_, auth_) {}

  void on(const PeerOpened& peer, std::span<Fd> descriptors) {
    if (peer.peer == Role::Auth && !descriptors.empty()) auth_.open(std::move(descriptors[0]));
    if (peer.peer == Role::Login && !descriptors.empty()) service_.add_login(std::move(descriptors[0]), peer.pid);
  }
  void on(const ReportsOpened&, std::span<Fd> descriptors) {
    if (!descriptors.empty()) service_.add_reports(std::move(descriptors[0]));
  }
  void on(const StopChild&) { end(); }
  // Without a master nobody finds the way to us: a new one has a socket and a state process of its own.
  void end() {
    admin_.close();
    process_.loop().stop();
  }

 private:
  RoleProcess& process_;
  StateService service_;
  AuthLink auth_;
  AdminServer admin_;
};

int state_main(int argc, char** argv) {
  RoleProcess process(Role::State, argc, argv);
  process.enter_jail(kJail);
  if (process.boot().listeners.empty()) fatal(kExitSoftware, "no admin socket");
  StateProcess state(process);
  process.open_control(
      [&](std::string_view packet, std::span<Fd> descriptors) {
        if (const Status status = dispatch(packet, descriptors, Role::Master, Role::State, state); !status)
          fatal(kExitSoftware, status.error());
      },
      [&] { state.end(); });
  process.show("");
  return process.run(0);
}

}  // namespace

}  // namespace postern

int main(int argc, char** argv) { return postern::state_main(argc, argv); }
