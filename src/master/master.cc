#include "master/master.h"

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "base/log.h"
#include "conf/reader.h"
#include "ipc/admin.h"
#include "master/boot_files.h"
#include "role/boot_memfd.h"
#include "role/jail.h"
#include "role/prepared.h"

namespace postern {

namespace {

constexpr Milliseconds kPatienceToBind{1000};
const std::string kOwnInput = "master";

char letter_of(Role role) {
  constexpr std::string_view letters = "LWASGM";  // in the order of Role; as in settings.def
  return letters[static_cast<size_t>(role)];
}

uint64_t milliseconds_of(Instant t) {
  return static_cast<uint64_t>(std::chrono::duration_cast<Milliseconds>(t.time_since_epoch()).count());
}

SecretString random_secret(size_t size) {
  std::string bytes(size, '\0');
  POSTERN_CHECK(::getrandom(bytes.data(), size, 0) == static_cast<ssize_t>(size), "no random bytes");
  SecretString secret(bytes);
  secure_zero(bytes.data(), bytes.size());
  return secret;
}

// Who may speak to the admin socket: the group of the internal user.
std::optional<gid_t> admin_group(const Configuration& configuration, const Environment& environment) {
  if (!environment.privileged) return std::nullopt;
  const auto identity = find_identity(configuration.settings.text(Key::default_internal_user), "");
  return identity ? std::optional<gid_t>(identity->gid) : std::nullopt;
}

SupervisorLimits limits_of(const Service& service) {
  const ServiceSettings& s = service.settings;
  SupervisorLimits limits;
  limits.accepts = service.role == Role::Login && !service.one_shot;
  limits.min_avail = static_cast<uint32_t>(s.process_min_avail);
  limits.process_limit = static_cast<uint32_t>(s.process_limit);
  limits.client_limit = static_cast<uint32_t>(s.client_limit);
  limits.idle_kill = s.idle_kill;
  if (limits.accepts) return limits;
  // What everything else needs is always there; of the prepared parent there is one.
  if (service.role != Role::AuthWorker) limits.process_limit = 1;
  limits.min_avail = std::max<uint32_t>(1, service.role == Role::AuthWorker ? limits.min_avail : 1);
  return limits;
}

std::string chroot_of(const ServiceSettings& service, const std::string& base_dir) {
  if (service.chroot.empty() || service.chroot[0] == '/') return service.chroot;
  return base_dir + "/" + service.chroot;
}

}  // namespace

Master::Master(const Options& options, Configuration configuration, Environment environment,
               std::function<void(int)> started)
    : options_(options),
      configuration_(std::move(configuration)),
      environment_(std::move(environment)),
      started_(std::move(started)),
      tickets_{random_secret(TicketSeed::kSize), milliseconds_of(SystemClock().now())} {}

Master::~Master() {
  if (log_client_ != nullptr) log_client_->flush();
  set_log_sink(nullptr);
}

std::pair<int, std::string> Master::prepare() {
  const auto plans = plan_listeners(configuration_, environment_);
  if (!plans) return {kExitConfig, plans.error()};
  if (const Status opened = admin_socket_.open(fmt::format("{}/{}", environment_.base_dir, kAdminSocket),
                                               admin_group(configuration_, environment_));
      !opened)
    return {kExitCantCreate, opened.error()};
  // After the admin socket, which clears its path: no listener's may be the same.
  auto sockets = open_listeners(*plans, {}, kPatienceToBind);
  if (!sockets) return {kExitOs, sockets.error()};
  sockets_ = std::move(*sockets);
  auto files =
      options_.logs_to_stderr ? Result<std::vector<Fd>>(std::vector<Fd>()) : open_log_files(configuration_.settings);
  if (!files) return {kExitCantCreate, "log_path: " + files.error()};
  log_files_ = std::move(*files);
  if (const Status limited = limit_master(environment_); !limited) return {kExitOs, limited.error()};
  int dead_man[2];
  if (::pipe2(dead_man, O_CLOEXEC) != 0) return {kExitOs, std::string("pipe: ") + strerror(errno)};
  dead_man_read_ = Fd(dead_man[0]);
  dead_man_write_ = Fd(dead_man[1]);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);  // workers of a prepared parent that has gone become ours
  if (inputs_.get(kOwnInput) == nullptr) return {kExitOs, "no descriptors left"};
  if (const Status built = build_services(configuration_, sockets_, generation_, services_); !built)
    return {kExitConfig, built.error()};
  return {kExitOk, {}};
}

int Master::run() {
  log_client_ = std::make_unique<LogClient>(inputs_.get(kOwnInput)->writer.get(),
                                            configuration_.settings.text(Key::log_format) == "json");
  log_client_->attach(loop_);
  set_log_sink(log_client_.get());
  ::signal(SIGPIPE, SIG_IGN);
  watch_signals();
  log_info(fmt::format("Postern {} starting up", PACKAGE_VERSION));
  if (!environment_.missing.empty()) log_warning(environment_.missing);
  for (const auto& service : services_) open_doors(*service);
  // In their order: the log first, so that the others are heard, then state and auth, so that the others meet them.
  for (const auto& service : services_) refresh(*service);
  loop_.run();
  return exit_status_;
}

// --- services ---------------------------------------------------------------------------------------------------

Status Master::build_services(const Configuration& configuration, const ListenerSockets& sockets, uint32_t generation,
                              std::vector<std::shared_ptr<Service>>& services) {
  const auto plans = plan_listeners(configuration, environment_);
  if (!plans) return Error(plans.error());
  for (const ServiceSettings& settings : configuration.services)
    if (has_mail_program(settings) && inputs_.get(settings.name) == nullptr) return Error("no descriptors left");
  for (const ServiceSettings& settings : configuration.services)
    if (role_of(settings))
      if (const Status built = build_service(settings, configuration, *plans, sockets, generation, services); !built)
        return built;
  std::stable_sort(services.begin(), services.end(),
                   [](const auto& a, const auto& b) { return a->role > b->role; });  // log, state, auth, worker, login
  return {};
}

Status Master::build_service(const ServiceSettings& settings, const Configuration& configuration,
                             const std::vector<ListenerPlan>& plans, const ListenerSockets& sockets,
                             uint32_t generation, std::vector<std::shared_ptr<Service>>& services) {
  auto service = std::make_shared<Service>();
  service->master = this;
  service->settings = settings;
  service->role = *role_of(settings);
  service->one_shot = is_one_shot(settings);
  service->generation = generation;
  service->program = program_of(settings, configuration);
  service->settings.client_limit = effective_client_limit(settings, environment_.descriptors);
  service->supervisor = Supervisor(limits_of(*service));

  ChildBoot boot;
  boot.role = service->role;
  boot.service = service->settings;
  boot.configuration = slice_for(configuration, letter_of(service->role), settings.protocol);
  boot.generation = generation;
  boot.privileged = environment_.privileged;
  boot.chroot = chroot_of(settings, environment_.base_dir);
  boot.to_stderr = options_.logs_to_stderr;
  boot.one_shot = service->one_shot;
  for (const ListenerPlan& plan : plans) {
    const auto socket = sockets.find(plan.local);
    if (plan.service != settings.name || socket == sockets.end()) continue;
    const auto index = static_cast<uint32_t>(boot.listeners.size());
    const int fd = service->one_shot ? -1 : kFirstListenerFd + static_cast<int>(index);
    boot.listeners.push_back({fd, plan.name, plan.local.endpoint, plan.ssl, plan.haproxy});
    service->doors.push_back(std::make_unique<Service::Door>());
    Service::Door& door = *service->doors.back();
    door.master = this;
    door.service = service.get();
    door.index = index;
    door.socket = socket->second;
  }
  if (service->one_shot) {
    auto& gate = gates_[settings.name];  // old generations' workers count, they are processes of the service
    if (gate == nullptr) gate = std::make_shared<WorkerGate>(0);
    service->gate = gate;
    service->reports = reports_.get(settings.name);
    if (service->reports == nullptr) return Error("no descriptors left");
  }
  if (service->role == Role::State) {
    boot.listeners.push_back({kFirstListenerFd, std::string(kAdminSocket), {}});
    boot.generation = 0;
    Writer(service->identity).put(boot);
  }
  if (service->role == Role::Login) {
    std::vector<std::string> errors;
    boot.files = read_boot_files(boot.configuration, errors);
    if (!errors.empty()) return Error(errors[0]);
    boot.ticket_seed = tickets_.secret;
    boot.tickets_began = tickets_.began;
  }
  auto sealed = seal_boot(boot);
  if (!sealed) return Error(sealed.error());
  service->boot = std::move(*sealed);
  if (inputs_.get(settings.name) == nullptr) return Error("no descriptors left");
  services.push_back(std::move(service));
  return {};
}

std::shared_ptr<Service> Master::service_of(Role role) {
  for (const auto& service : services_)
    if (service->role == role) return service;
  return nullptr;
}

void Master::touch(Service& service) {
  if (std::exchange(service.dirty, true)) return;
  loop_.defer([this, weak = service.weak_from_this()] {
    if (const auto s = weak.lock()) refresh(*s);
  });
}

// Does all that the service's supervisor wants done.
void Master::refresh(Service& service) {
  service.dirty = false;
  if (stopping()) return;
  for (const uint32_t pid : service.supervisor.take_overdue(loop_.now())) {
    say(LogLevel::Error, service,
        fmt::format("Initial status notification not received in 30 seconds, killing the process {}", pid));
    ::kill(static_cast<pid_t>(pid), SIGKILL);
  }
  for (const uint32_t pid : service.supervisor.take_idle(loop_.now()))
    if (const auto found = children_.find(pid); found != children_.end())
      found->second->channel->send(StopChild{StopHow::Drain});
  if (service.supervisor.take_pause_over(loop_.now()) ||
      (service.one_shot && service.gate->take_pause_over(loop_.now())))
    discard_waiting(service);
  fork_children(service);
  refresh_doors(service);
  refresh_timer(service);
}

void Master::refresh_timer(Service& service) {
  const Instant now = loop_.now();
  auto next = service.supervisor.next_change(now);
  const auto workers = service.one_shot ? service.gate->next_change(now) : std::nullopt;
  if (workers && (!next || *workers < *next)) next = workers;
  if (!next) return service.timer.stop();
  const auto wait = std::chrono::duration_cast<Milliseconds>(*next - now) + Milliseconds(1);
  service.timer.start(
      loop_, wait, [](void* s) { static_cast<Service*>(s)->master->refresh(*static_cast<Service*>(s)); }, &service);
}

void Master::refresh_doors(Service& service) {
  if (service.doors.empty()) return;
  if (service.one_shot) return refresh_worker_doors(service);
  const bool closed = phase_ == Phase::Draining;
  const bool poll = !closed && service.supervisor.listen(loop_.now()) != Supervisor::Listen::Off;
  for (const auto& door : service.doors) door->watch.set(poll ? EV_READ : 0);
}

void Master::open_doors(Service& service) {
  if (service.one_shot) service.gate->set_limit(static_cast<uint32_t>(service.settings.process_limit));
  for (const auto& door : service.doors)
    door->watch.start(
        loop_, door->socket->fd.get(), 0,
        [](evutil_socket_t, short, void* d) {
          auto& opened = *static_cast<Service::Door*>(d);
          opened.service->one_shot ? opened.master->accept_for_workers(opened) : opened.master->on_connection(opened);
        },
        door.get());
}

// A connection waits and no process takes it (MASTER-15).
void Master::on_connection(Service::Door& door) {
  Service& service = *door.service;
  const auto mode = service.supervisor.listen(loop_.now());
  if (mode == Supervisor::Listen::Discard) return discard_waiting(service);
  if (mode == Supervisor::Listen::Fork) {
    const auto waiting = service.supervisor.connection_waiting(loop_.now());
    if (waiting == Supervisor::Waiting::ForkOne) spawn_child(service);
    if (waiting != Supervisor::Waiting::ForkOne) tell_full(service);
    if (waiting == Supervisor::Waiting::FullWarn) warn_full(service);
  }
  touch(service);
}

// MASTER-24. It comes at most once per pause, which lets the processes alone at the listeners.
void Master::tell_full(const Service& service) {
  constexpr auto pause = static_cast<uint32_t>(Supervisor::kFullPause.count());
  for (auto& [pid, child] : children_)
    if (child->service.get() == &service && !child->old) child->channel->send(ServiceFull{pause});
}

// MASTER-23.
void Master::warn_full(const Service& service) {
  const ServiceSettings& s = service.settings;
  const auto [name, limit] = s.process_limit > 1    ? std::pair("process_limit", s.process_limit)
                             : s.service_count == 1 ? std::pair("client_limit/service_count", s.service_count)
                                                    : std::pair("client_limit", s.client_limit);
  say(LogLevel::Warning, service, fmt::format("{} ({}) reached, client connections are being dropped", name, limit));
}

void Master::discard_waiting(Service& service) {
  constexpr int kMost = 1024;  // per turn and listener
  for (const auto& door : service.doors)
    for (int i = 0; i < kMost; ++i)
      if (const Fd fd(::accept4(door->socket->fd.get(), nullptr, nullptr, SOCK_CLOEXEC)); !fd) break;
}

}  // namespace postern
