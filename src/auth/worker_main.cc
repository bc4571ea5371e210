// postern-auth-worker: database look-ups and password hashes that block, one at a time.
#include <signal.h>

#include "auth/worker.h"
#include "base/log.h"
#include "role/role.h"

namespace postern {

namespace {

constexpr JailSpec kWorkerJail{.chroot = false, .limit_address_space = true};

// The socket to auth and what to do with it. There is one auth at a time; when it dies the master brings the socket
// of its successor.
class WorkerMain {
 public:
  WorkerMain(RoleProcess& role, WorkerService service) : role_(role), service_(std::move(service)) {}

  void on(const PeerOpened& opened, std::span<Fd> descriptors) {
    if (opened.peer != Role::Auth || descriptors.size() != 1) return;
    Channel::Events events;
    events.packet = [this](std::string_view packet, std::span<Fd> fds) { on_packet(packet, fds); };
    events.lost = [this](std::string_view) { role_.loop().defer([this] { lost_auth(); }); };
    auth_ = std::make_unique<Channel>(role_.loop(), std::move(descriptors[0]), Role::AuthWorker, Role::Auth,
                                      std::move(events));
  }
  void on(const StopChild&) { role_.loop().stop(); }
  // Without a master no other auth will come.
  void orphaned() {
    orphaned_ = true;
    if (auth_ == nullptr) role_.loop().stop();
  }
  void on(const WorkerLookup& lookup) { send(service_.answer(lookup)); }
  void on(const WorkerVerify& verify) { send(service_.answer(verify)); }

 private:
  void lost_auth() {
    if (auth_ == nullptr || !auth_->dead()) return;  // the next one is here already
    auth_.reset();
    if (orphaned_) role_.loop().stop();
  }

  void on_packet(std::string_view packet, std::span<Fd> descriptors) {
    const Status status = dispatch(packet, descriptors, Role::Auth, Role::AuthWorker, *this);
    if (!status) fatal(kExitSoftware, "bad message from auth: " + status.error());
  }

  template <class M>
  void send(const M& answer) {
    auth_->send(answer);
    auth_->flush();
    if (service_.retired()) role_.loop().stop();
  }

  RoleProcess& role_;
  WorkerService service_;
  std::unique_ptr<Channel> auth_;
  bool orphaned_ = false;
};

int worker_main(int argc, char** argv) {
  RoleProcess role(Role::AuthWorker, argc, argv);
  role.enter_jail(kWorkerJail);
  auto databases = WorkerService::open_databases(role.boot().configuration);
  if (role.is_trial())
    return RoleProcess::conclude(databases ? std::vector<std::string>() : std::vector<std::string>{databases.error()});
  if (!databases) fatal(kExitConfig, databases.error());
  WorkerMain worker(role,
                    WorkerService(std::move(*databases), static_cast<uint64_t>(role.boot().service.service_count)));
  role.open_control(
      [&](std::string_view packet, std::span<Fd> fds) {
        const Status status = dispatch(packet, fds, Role::Master, Role::AuthWorker, worker);
        if (!status) fatal(kExitSoftware, "bad message from the master: " + status.error());
      },
      [&] { worker.orphaned(); });
  const int status = role.run(1);
  // To the master the end of our socket is a reason to end us, which is what we are doing: libraries clean up after
  // main().
  ::signal(SIGTERM, SIG_IGN);
  return status;
}

}  // namespace

}  // namespace postern

int main(int argc, char** argv) { return postern::worker_main(argc, argv); }
