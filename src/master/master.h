// The running master: performs what the supervisors decide. Root: no byte from the network, no password.
#ifndef POSTERN_MASTER_MASTER_H
#define POSTERN_MASTER_MASTER_H

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "event/loop.h"
#include "ipc/boot.h"
#include "ipc/channel.h"
#include "master/admin_socket.h"
#include "master/environment.h"
#include "master/listeners.h"
#include "master/log_inputs.h"
#include "master/notify.h"
#include "master/options.h"
#include "master/report_pipes.h"
#include "master/supervisor.h"
#include "master/worker_gate.h"
#include "role/log_client.h"
#include "tls/tickets.h"

namespace postern {

class Master;
struct Child;

// A service of one generation. Lives until its last process has ended.
struct Service : std::enable_shared_from_this<Service> {
  ServiceSettings settings;
  Role role = Role::Login;
  bool one_shot = false;
  uint32_t generation = 0;
  std::string program;
  Fd boot;               // sealed ChildBoot, shared by its processes
  std::string identity;  // state: what it was told; while that is the same it lives on over a reload
  Supervisor supervisor{SupervisorLimits{}};
  std::shared_ptr<WorkerGate> gate;      // one_shot only; of all generations
  ReportPipes::Pipe* reports = nullptr;  // one_shot only; of all generations
  // The master's interest in a listener.
  struct Door {
    Master* master = nullptr;
    Service* service = nullptr;
    uint32_t index = 0;  // in ChildBoot::listeners
    std::shared_ptr<ListenerSocket> socket;
    Watch watch;
  };
  std::vector<std::unique_ptr<Door>> doors;
  Child* parent = nullptr;  // one_shot: the prepared parent, while it lives
  Timer timer;              // Supervisor::next_change
  Master* master = nullptr;
  bool dirty = false;  // refresh() is deferred
};

struct Child {
  uint32_t pid = 0;
  std::shared_ptr<Service> service;
  std::unique_ptr<Channel> channel;
  bool old = false;  // of a former generation, or told to stop
  bool reaped = false;
  bool deaf = false;  // its channel is gone
  int wait_status = 0;
  uint32_t orders = 0;  // ForkWorker sent and not yet answered
};

// A local mail program, until it is reaped.
struct MailChild {
  Master* master = nullptr;
  uint32_t pid = 0;
  std::string service, userip;  // userip: the place in mail_userips_
  std::string who;              // "user joe, session <x>"
  uint32_t auth = 0;            // the process that ordered it
  uint64_t order = 0;
  Fd socket, failure;  // until exec is known to have happened, or not
  Fd end;              // a delivery's: where its end is told
  Watch watch;
  Timer patience;
  bool failed = false;  // and auth was told why
};

class Master {
 public:
  // `started`: called once with an exit status, kExitOk when the first children are ready.
  Master(const Options& options, Configuration configuration, Environment environment,
         std::function<void(int)> started);
  ~Master();

  // Binds the listeners, opens the log files, gives up rights that are not needed. Not kExitOk: and why.
  std::pair<int, std::string> prepare();
  // Starts and supervises; returns the exit status once all has ended.
  int run();

  // From children (dispatch()).
  struct Ear;

 private:
  // --- master.cc: services; children.cc: their processes ---
  Status build_services(const Configuration& configuration, const ListenerSockets& sockets, uint32_t generation,
                        std::vector<std::shared_ptr<Service>>& services);
  Status build_service(const ServiceSettings& settings, const Configuration& configuration,
                       const std::vector<ListenerPlan>& plans, const ListenerSockets& sockets, uint32_t generation,
                       std::vector<std::shared_ptr<Service>>& services);
  void open_doors(Service& service);
  void touch(Service& service);
  void refresh(Service& service);
  void refresh_doors(Service& service);
  void refresh_timer(Service& service);
  void fork_children(Service& service);
  bool spawn_child(Service& service);
  void introduce(Child& child);
  void connect(Child& a, Child& b);
  void open_log(Child& log);
  void introduce_state(Child& state);
  void introduce_login(Child& login);
  bool works_with_state(const Child& child) const;
  void hand_log_files();
  std::shared_ptr<Service> service_of(Role role);
  void on_packet(Child& child, std::string_view packet, std::span<Fd> descriptors);
  void on_status(Child& child, uint32_t available, bool retired);
  void on_need_worker(Child& child);
  void on_deaf(Child& child);
  void reap();
  void on_ended(uint32_t pid, int wait_status);
  void bury(Child& child);
  void child_ended(const std::shared_ptr<Service>& service, uint32_t pid, int wait_status, bool was_current);
  void say(LogLevel level, const Service& service, std::string_view text);
  void say_without_log(std::string_view text);
  void on_connection(Service::Door& door);
  void discard_waiting(Service& service);
  void warn_full(const Service& service);
  void tell_full(const Service& service);
  void start_step();
  void fail_start(int status, std::string_view why);

  // --- one_shot.cc: a process per connection ---
  void accept_for_workers(Service::Door& door);
  void accept_failed(const Service& service, int error);
  void order_worker(Child& parent, const ForkWorker& order, Fd client);
  void give_auth(Fd peer);
  void refresh_worker_doors(Service& service);
  Child* prepared_parent(const Service& service);
  void on_worker_forked(Child& parent, uint32_t pid);
  void on_worker_ended(uint32_t pid, int wait_status);
  void kick_workers(const KickWorkers& kick);
  void worker_over(const std::shared_ptr<Service>& service, uint32_t pid, int wait_status);

  // --- mail.cc: local mail programs ---
  void on_start_mail(Child& auth, const StartMail& order, Fd message);
  void tell_end(const MailChild& child, int wait_status);
  void watch_mail(MailChild& child);
  void mail_reported(MailChild& child);
  void answer_mail(MailChild& child, const std::string& failure);
  void mail_ended(uint32_t pid, int wait_status);
  void signal_mail(int number);
  uint32_t mail_children(const std::string& service) const;

  // --- changes.cc: reload, stop ---
  void watch_signals();
  void reload();
  Status replace_configuration();
  void keep_state(std::vector<std::shared_ptr<Service>>& services);
  void retire(const std::vector<std::shared_ptr<Service>>& services);
  void drain_timeout();
  void reopen_logs();
  void drain();
  void stop();
  void close_doors();
  void advance_stop();
  bool anybody(Role role) const;
  bool anybody_at_login() const;
  void tell(Role role, StopHow how);
  void kill_all(Role role);
  void kill_present_phase();

  Options options_;
  Configuration configuration_;
  Environment environment_;
  std::function<void(int)> started_;
  LogInputs inputs_;
  Loop loop_;
  AdminSocket admin_socket_;
  ReportPipes reports_{loop_};
  std::unique_ptr<LogClient> log_client_;
  Notifier notifier_;
  std::vector<Fd> log_files_;
  const TicketSeed tickets_;
  Fd dead_man_read_, dead_man_write_;
  uint32_t generation_ = 1;
  ListenerSockets sockets_;
  std::vector<std::shared_ptr<Service>> services_;  // of this generation
  std::map<std::string, std::shared_ptr<WorkerGate>> gates_;
  std::unordered_map<uint32_t, std::unique_ptr<Child>> children_;
  struct Worker {
    std::shared_ptr<Service> service;
    uint32_t parent = 0;
  };
  std::unordered_map<uint32_t, Worker> workers_;  // of prepared parents, by pid
  std::unordered_map<uint32_t, int> early_ends_;  // adopted and reaped before their parent's report was read
  std::deque<Fd> waiting_for_auth_;               // sockets for an auth that isn't there yet
  std::unordered_map<uint32_t, std::unique_ptr<MailChild>> mail_;  // by pid; of all generations
  std::unordered_map<std::string, uint32_t> mail_userips_;         // by service, user and address
  std::map<std::string, uint32_t> mail_counts_;                    // by service: process_limit
  std::vector<std::unique_ptr<SignalWatch>> signals_;

  enum class Phase : uint8_t {
    Starting,
    Running,
    Draining,
    StoppingLogin,
    StoppingMail,
    StoppingAuth,
    StoppingLog,
    Over
  };
  Phase phase_ = Phase::Starting;
  bool stopping() const { return phase_ >= Phase::StoppingLogin; }
  Child* auth_ = nullptr;  // of this generation, while it lives
  Child* state_ = nullptr;
  Child* log_process_ = nullptr;
  size_t first_children_ = 0;  // not yet ready
  int exit_status_ = 0;
  Timer stop_timer_, drain_timer_;
  bool may_kill_ = false;  // the polite time is over
  Instant last_accept_error_{};
};

}  // namespace postern

#endif
