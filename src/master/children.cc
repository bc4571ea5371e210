// The children of the master: starting them, introducing them to each other, hearing them, and their ends.
#include "config.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <signal.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include <utility>

#include "base/log.h"
#include "master/master.h"
#include "master/spawn.h"
#include "master/wait_text.h"
#include "role/prepared.h"

namespace postern {

namespace {

constexpr size_t kTitleRoom = 200;

Fd duplicate(int fd) { return Fd(::fcntl(fd, F_DUPFD_CLOEXEC, 3)); }

}  // namespace

// Which message of a child is whose business.
struct Master::Ear {
  Master& master;
  Child& child;
  void on(const ChildReady& m) { master.on_status(child, m.available, false); }
  void on(const ChildStatus& m) { master.on_status(child, m.available, m.retired); }
  void on(const NeedWorker&) { master.on_need_worker(child); }
  void on(const KickWorkers& m) { master.kick_workers(m); }
  void on(const StartMail& m, std::span<Fd> descriptors) {
    master.on_start_mail(child, m, descriptors.empty() ? Fd() : std::move(descriptors[0]));
  }
  void on(const WorkerForked& m) { master.on_worker_forked(child, m.pid); }
  void on(const WorkerEnded& m) { master.on_worker_ended(m.pid, m.wait_status); }
};

// --- children ---------------------------------------------------------------------------------------------------

void Master::fork_children(Service& service) {
  // Logins end while we drain. An old log must have gone before the next reads its inputs, to keep their order; and an
  // old state, which would take reports that are meant for the next.
  if (phase_ == Phase::Draining && service.role == Role::Login) return;
  if ((service.role == Role::Log || service.role == Role::State) && anybody(service.role)) return;
  for (uint32_t n = service.supervisor.forks_wanted(loop_.now()); n > 0 && spawn_child(service); --n) {}
}

bool Master::spawn_child(Service& service) {
  auto pair = make_channel_pair();
  const LogInputs::Input* input = inputs_.get(service.settings.name);
  Result<pid_t> pid = Error("no descriptors left");
  if (pair && input != nullptr) {
    SpawnRequest request;
    request.executable = service.program;
    request.service = service.settings.name;
    if (configuration_.settings.flag(Key::verbose_proctitle)) request.title_room = std::string(kTitleRoom, '-');
    request.control = pair->second.get();
    request.log = input->writer.get();
    request.boot = service.boot.get();
    request.dead_man = dead_man_read_.get();
    for (const auto& door : service.doors)
      if (!service.one_shot) request.listeners.push_back(door->socket->fd.get());
    if (service.role == Role::State) request.listeners.push_back(admin_socket_.fd());
    // What the log process has to say about itself goes to our own stderr.
    request.error_output = service.role != Role::Log ? input->writer.get() : options_.background() ? -1 : 2;
    pid = spawn(request);
  }
  if (!pid) {
    service.supervisor.fork_failed(loop_.now());
    say(LogLevel::Error, service,
        pid.error() + fmt::format(", throttling for {:.3f} secs",
                                  static_cast<double>(service.supervisor.throttle_delay().count()) / 1000));
    touch(service);
    return false;
  }
  auto child = std::make_unique<Child>();
  child->pid = static_cast<uint32_t>(*pid);
  child->service = service.shared_from_this();
  Channel::Events events;
  Child* raw = child.get();
  events.packet = [this, raw](std::string_view packet, std::span<Fd> descriptors) {
    on_packet(*raw, packet, descriptors);
  };
  events.lost = [this, raw](std::string_view) { on_deaf(*raw); };
  child->channel =
      std::make_unique<Channel>(loop_, std::move(pair->first), Role::Master, service.role, std::move(events));
  service.supervisor.forked(child->pid, loop_.now());
  if (phase_ == Phase::Starting) ++first_children_;
  children_[child->pid] = std::move(child);
  introduce(*raw);
  return true;
}

// Gives a new process the sockets to those it works with.
void Master::introduce(Child& child) {
  switch (child.service->role) {
    case Role::Log: log_process_ = &child; return open_log(child);
    case Role::Auth:
      auth_ = &child;
      for (auto& [pid, other] : children_) {
        const Role role = other->service->role;
        const bool login = role == Role::Login && !other->service->one_shot;
        if ((login || (role == Role::AuthWorker && !other->old)) && !other->reaped) connect(*other, child);
      }
      if (state_ != nullptr) connect(*state_, child);
      for (Fd& peer : waiting_for_auth_) give_auth(std::move(peer));
      return waiting_for_auth_.clear();
    case Role::State: return introduce_state(child);
    case Role::Login: return introduce_login(child);
    case Role::AuthWorker:
      if (auth_ != nullptr) connect(child, *auth_);
      return;
    case Role::Master:
    case Role::kCount: return;
  }
}

void Master::introduce_login(Child& login) {
  if (!login.service->one_shot) {
    if (auth_ != nullptr) connect(login, *auth_);
    if (state_ != nullptr) connect(login, *state_);
    return;
  }
  login.service->parent = &login;
  std::vector<Fd> writer;
  writer.push_back(duplicate(login.service->reports->writer.get()));
  login.channel->send(PeerOpened{Role::State, 0}, std::move(writer));
}

// All that live now have to tell it what they told the one before.
void Master::introduce_state(Child& state) {
  state_ = &state;
  for (const auto& [service, pipe] : reports_.all()) {
    std::vector<Fd> reader;
    reader.push_back(duplicate(pipe.reader.get()));
    state.channel->send(ReportsOpened{service}, std::move(reader));
  }
  for (auto& [pid, other] : children_)
    if (works_with_state(*other)) connect(*other, state);
  if (auth_ != nullptr) connect(state, *auth_);
  for (const auto& [pid, worker] : workers_) ::kill(static_cast<pid_t>(pid), kReportAgainSignal);
}

bool Master::works_with_state(const Child& child) const {
  return child.service->role == Role::Login && !child.service->one_shot && !child.reaped;
}

void Master::connect(Child& a, Child& b) {
  auto pair = make_channel_pair();
  if (!pair) return say(LogLevel::Error, *a.service, pair.error());
  std::vector<Fd> first, second;
  first.push_back(std::move(pair->first));
  second.push_back(std::move(pair->second));
  a.channel->send(PeerOpened{b.service->role, b.pid}, std::move(first));
  b.channel->send(PeerOpened{a.service->role, a.pid}, std::move(second));
}

void Master::open_log(Child& log) {
  hand_log_files();
  for (const auto& [service, input] : inputs_.all()) {
    std::vector<Fd> reader;
    reader.push_back(duplicate(input.reader.get()));
    log.channel->send(InputOpened{service}, std::move(reader));
  }
}

// Files are opened here, as root: the log process could not open them again after a rotation.
void Master::hand_log_files() {
  if (log_process_ == nullptr) return;
  std::vector<Fd> files;
  for (const Fd& file : log_files_) files.push_back(duplicate(file.get()));
  log_process_->channel->send(ReopenLogs{}, std::move(files));
}

// --- what children say ------------------------------------------------------------------------------------------

void Master::on_packet(Child& child, std::string_view packet, std::span<Fd> descriptors) {
  Ear ear{*this, child};
  const Status status = dispatch(packet, descriptors, child.service->role, Role::Master, ear);
  if (status) return;
  say(LogLevel::Error, *child.service,
      fmt::format("child {} broke the rules ({}), killing it", child.pid, status.error()));
  ::kill(static_cast<pid_t>(child.pid), SIGKILL);
}

// Whichever comes first says that the process is up.
void Master::on_status(Child& child, uint32_t available, bool retired) {
  Supervisor& supervisor = child.service->supervisor;
  const bool first = !supervisor.is_ready(child.pid);
  supervisor.status(child.pid, available, retired, loop_.now());
  if (child.old) return;
  if (first && phase_ == Phase::Starting) start_step();
  touch(*child.service);
}

void Master::on_need_worker(Child& child) {
  const auto workers = service_of(Role::AuthWorker);
  if (child.old || workers == nullptr) return;
  workers->supervisor.want_more();
  touch(*workers);
}

// The processes of the start have to come up; afterwards they are merely restarted.
void Master::start_step() {
  if (--first_children_ > 0) return;
  phase_ = Phase::Running;
  notifier_.ready(fmt::format("v{} running", PACKAGE_VERSION));
  if (started_) std::exchange(started_, nullptr)(kExitOk);
}

void Master::fail_start(int status, std::string_view why) {
  say_without_log(why);
  exit_status_ = status;
  if (started_) std::exchange(started_, nullptr)(status);
  stop();
}

void Master::say(LogLevel level, const Service& service, std::string_view text) {
  log_sink().line(level, fmt::format("service({}): {}", service.settings.name, text));
}

// When the log process is what fails, or nobody reads the log yet.
void Master::say_without_log(std::string_view text) {
  const std::string line = fmt::format("postern: Error: {}\n", text);
  [[maybe_unused]] const ssize_t n = ::write(2, line.data(), line.size());
  ::syslog(LOG_MAIL | LOG_ERR, "%s", std::string(text).c_str());
}

// --- the end of children ----------------------------------------------------------------------------------------

void Master::reap() {
  int status = 0;
  for (pid_t pid; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) on_ended(static_cast<uint32_t>(pid), status);
  if (stopping() || phase_ == Phase::Draining) advance_stop();
}

void Master::on_ended(uint32_t pid, int wait_status) {
  const auto found = children_.find(pid);
  if (found != children_.end()) {
    Child& child = *found->second;
    child.reaped = true;
    child.wait_status = wait_status;
    // What a prepared parent reported last still has to be read: the count of its workers depends on it.
    if (!child.service->one_shot || child.deaf) bury(child);
    return;
  }
  if (workers_.count(pid) != 0) return on_worker_ended(pid, wait_status);
  if (mail_.count(pid) != 0) return mail_ended(pid, wait_status);
  early_ends_.emplace(pid, wait_status);
}

void Master::on_deaf(Child& child) {
  child.deaf = true;
  if (child.reaped) return bury(child);
  // A process without its master is of no use.
  if (!child.old && !child.service->one_shot) ::kill(static_cast<pid_t>(child.pid), SIGTERM);
}

void Master::bury(Child& child) {
  const auto service = child.service;
  const uint32_t pid = child.pid, orders = child.orders;
  const int wait_status = child.wait_status;
  const bool was_current = !child.old;
  for (Child** held : {&auth_, &state_, &log_process_, &service->parent})
    if (*held == &child) *held = nullptr;
  auto node = children_.extract(pid);
  if (node.empty()) return;
  // Its channel may be what calls us.
  loop_.defer([kept = std::shared_ptr<Child>(std::move(node.mapped()))] {});
  for (uint32_t i = 0; i < orders; ++i) service->gate->ended(true, loop_.now());
  child_ended(service, pid, wait_status, was_current);
}

void Master::child_ended(const std::shared_ptr<Service>& service, uint32_t pid, int wait_status, bool was_current) {
  const bool was_ready = service->supervisor.is_ready(pid);
  const std::string text = describe_end(pid, wait_status, service->settings.vsz_limit);
  if (!text.empty() && !stopping()) {
    say(LogLevel::Error, *service, text);
    if (service->role == Role::Log) say_without_log("log: " + text);
  }
  const bool throttled = service->supervisor.ended(pid, ended_clean(wait_status), loop_.now());
  if (throttled && was_current && !stopping())
    say(LogLevel::Error, *service,
        fmt::format("command startup failed, throttling for {:.3f} secs",
                    static_cast<double>(service->supervisor.throttle_delay().count()) / 1000));
  if (phase_ == Phase::Starting && was_current && !was_ready) {
    const int status = WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == kExitConfig ? kExitConfig : kExitSoftware;
    fail_start(status, fmt::format("service {} did not start: {}", service->settings.name,
                                   text.empty() ? "it ended at once" : text));
    return;
  }
  if (service->role == Role::Auth && !was_current)
    for (auto& [other, child] : children_)  // nobody else asks the workers of an auth that has gone
      if (child->service->role == Role::AuthWorker && child->service->generation == service->generation)
        child->channel->send(StopChild{StopHow::Now});
  if (const auto next = was_current ? service : service_of(service->role)) touch(*next);
}

}  // namespace postern
