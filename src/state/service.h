// The register of sessions: login workers report, posternctl asks (ANVIL, ADM-1 ff.).
#ifndef POSTERN_STATE_SERVICE_H
#define POSTERN_STATE_SERVICE_H

#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/rarely.h"
#include "event/loop.h"
#include "ipc/channel.h"
#include "state/reports.h"
#include "state/reservations.h"
#include "state/roll.h"

namespace postern {

class StateService final : private Reservations::Post {
 public:
  // `kick_workers`: how one-shot workers are reached. `master`: the pid that may say who is gone.
  StateService(Loop& loop, uint32_t master, std::function<void(KickWorkers)> kick_workers);

  // A worker with many sessions; his end is the end of his channel.
  void add_login(Fd socket, uint32_t pid);
  // The reports of one-shot workers.
  void add_reports(Fd socket);

  Roll& roll() { return roll_; }
  // Ends what matches; how many that are. A login under way that matches ends once it reports.
  uint64_t kick(SessionFilter filter);

 private:
  struct Login {
    StateService& service;
    uint64_t owner;
    uint32_t pid;
    uint32_t one_shot = 0;  // the pid by which kicks reach it
    std::unique_ptr<Channel> channel{};
    void on(const SessionStarted& m);
    void on(const SessionEnded& m) { service.ended({owner, m.id}); }
    void on(const ReserveSession& m);
    void on(const IdleSessions& m) { service.reservations_.hear(owner, m); }
    void broke_the_rules();
  };
  // What stands in the packet of one process of a one-shot service.
  struct Worker {
    StateService& service;
    uint32_t pid;
    bool good = true;
    void on(const SessionStarted& m);
    void on(const SessionEnded& m) { service.ended({pid, m.id}); }
    void on(const WorkerConnected&, std::span<Fd> descriptors);
  };
  struct Master {
    StateService& service;
    void on(const WorkerGone& m) { service.forget(m.pid); }
  };
  // Whom a kick goes to.
  struct Victims {
    std::map<uint64_t, std::vector<uint64_t>> of_logins;
    std::vector<uint32_t> workers;
  };
  void add_victim(Victims& victims, SessionKey key) const;
  void on_packet(Login& login, std::string_view packet, std::span<Fd> descriptors);
  void on_report(std::string_view packet, uint32_t pid, std::span<Fd> descriptors);
  void open_login(Fd socket, uint32_t pid, uint32_t one_shot);
  // Reservations::Post
  void send(uint64_t owner, const SessionReserved& answer) override;
  bool send(uint64_t owner, const AskIdle& question) override;
  void send(uint64_t owner, const CloseIdle& order) override;
  void ended(SessionKey key);
  void forget(uint64_t owner);
  void wait_on();
  void complain(uint32_t pid, std::string_view why) const;
  void lost(uint64_t owner);
  void carry_out(const Victims& victims);
  void kick_late(SessionKey key, const SessionStarted& session);
  uint64_t now() const;

  Loop& loop_;
  const uint32_t master_;
  std::function<void(KickWorkers)> kick_workers_;
  Roll roll_;
  Reservations reservations_{roll_, *this};
  Timer patience_;  // of reservations
  KickMemory kicks_;
  uint64_t next_owner_;
  std::unordered_map<uint64_t, std::unique_ptr<Login>> logins_;
  std::unordered_map<uint32_t, uint64_t> one_shots_;  // pid -> owner; one channel each
  std::vector<std::unique_ptr<ReportReader>> reports_;
  Rarely complained_{Milliseconds(60'000), 100};  // of one-shot workers, which nonsense costs nothing
};

}  // namespace postern

#endif
