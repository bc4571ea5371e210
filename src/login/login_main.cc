// postern-login: one per login service; clients before login, and the relays of those who got in.
// Holds no password beyond its session's login, no database credential, no file system.
#include <signal.h>
#include <unistd.h>

#include <memory>
#include <optional>

#include "login/protocols.h"
#include "login/worker.h"
#include "role/prepared.h"
#include "role/role.h"

namespace postern {
namespace {

constexpr JailSpec kLoginJail{.chroot = true, .limit_address_space = true};
constexpr JailSpec kDeliveryJail{.chroot = true, .limit_address_space = true, .temporary_files = true};

// The messages of the master to a worker that lives for many connections.
class Orders {
 public:
  Orders(RoleProcess& process, Worker& worker) : process_(process), worker_(worker) {}

  void on(const PeerOpened& peer, std::span<Fd> descriptors) {
    if (descriptors.empty()) return;
    if (peer.peer == Role::State) worker_.connect_state(std::move(descriptors[0]));
    else worker_.connect_auth(std::move(descriptors[0]), false);
  }
  void on(const StopChild& order) {
    drain();
    if (order.how == StopHow::Now) worker_.shut_down();
  }
  void on(const ServiceFull& order) { worker_.make_room_for(Milliseconds(order.milliseconds)); }
  // Finishes what is there and ends with the last session: reload, or the master is gone.
  void drain() {
    worker_.drain([this] { process_.loop().stop(); });
  }

 private:
  RoleProcess& process_;
  Worker& worker_;
};

// Tells the master about free slots: at once when they run out or come back, else within a second (MASTER-13).
class LoadReport {
 public:
  explicit LoadReport(RoleProcess& process) : process_(process) {}

  void changed(const Worker& worker) {
    worker_ = &worker;
    const uint32_t available = worker.slots().available();
    if ((available == 0) != (told_ == 0) || worker.slots().retired()) return tell();
    if (!timer_.running())
      timer_.start(
          process_.loop(), Milliseconds(1000), [](void* self) { static_cast<LoadReport*>(self)->tell(); }, this);
  }
  void starts_with(uint32_t available) { told_ = available; }

 private:
  void tell() {
    timer_.stop();
    const uint32_t available = worker_->slots().available();
    if (available == told_ && !worker_->slots().retired()) return;
    told_ = available;
    process_.control().send(ChildStatus{available, worker_->slots().retired()});
  }

  RoleProcess& process_;
  const Worker* worker_ = nullptr;
  uint32_t told_ = 0;
  Timer timer_;
};

int serve_many(RoleProcess& process, Views& views) {
  LoadReport report(process);
  std::unique_ptr<Worker> worker;
  worker = std::make_unique<Worker>(process.loop(), process.boot(), views, [&] {
    report.changed(*worker);
    if (worker->slots().retired()) worker->drain([&] { process.loop().stop(); });
  });
  Orders orders(process, *worker);
  process.open_control(
      [&](std::string_view packet, std::span<Fd> descriptors) {
        if (const Status s = dispatch(packet, descriptors, Role::Master, Role::Login, orders); !s)
          fatal(kExitSoftware, s.error());
      },
      [&] { orders.drain(); });
  report.starts_with(worker->slots().available());
  worker->listen();
  return process.run(worker->slots().available());
}

// What may be told to a process that has a session: by signals, since nobody has a socket to it (role/prepared.h).
struct SessionOrders {
  SessionOrders(Loop& loop, Worker& worker)
      : kick(loop, kKickSignal, [&worker] { worker.kick_all(false); }),
        kick_one_of_many(loop, kKickOneOfManySignal, [&worker] { worker.kick_all(true); }),
        report_again(loop, kReportAgainSignal, [&worker] { worker.report_again(); }) {}
  SignalWatch kick, kick_one_of_many, report_again;
};

// In a process forked for one connection.
int serve_one(RoleProcess& process, Views& views, Handover handover) {
  Loop& loop = process.loop();
  Worker worker(loop, process.boot(), views, [] {});
  worker.connect_auth(std::move(handover.auth), true);
  worker.share_state(handover.reports);
  std::optional<SessionOrders> orders;
  worker.on_relay([&] { orders.emplace(loop, worker); });
  const SignalWatch terminate(loop, SIGTERM, [&] { worker.shut_down(); });
  worker.adopt(std::move(handover.client), process.boot().listeners.at(handover.listener), handover.remote);
  worker.drain([&] { loop.stop(); });
  loop.run();
  log_sink().flush();
  ::_exit(kExitOk);  // what is left here is taken apart by the kernel, with fewer page faults
}

}  // namespace
}  // namespace postern

int main(int argc, char** argv) {
  using namespace postern;
  RoleProcess process(Role::Login, argc, argv);
  const ServedProtocol* served = find_served_protocol(process.boot().service.name);
  if (served == nullptr) fatal(kExitConfig, "no protocol for service " + process.boot().service.name);
  const SystemClock clock;
  TicketKeys tickets({process.take_ticket_seed(), process.boot().tickets_began},
                     process.boot().configuration.settings.time(Key::ssl_session_ticket_rotation), clock);
  Views views(
      process.boot(), *served, [&](std::string_view path) { return process.file(path); }, tickets);
  views.prepare();
  process.enter_jail(served->delivery != nullptr ? kDeliveryJail : kLoginJail);
  if (process.boot().one_shot)
    return run_prepared(process, [&](Handover handover) { return serve_one(process, views, std::move(handover)); });
  return serve_many(process, views);
}
