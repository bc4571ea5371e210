// Signals, reload, stop (DECISIONS section 5, MASTER-32 to 36).
#include <fmt/core.h>
#include <signal.h>

#include <algorithm>

#include "base/log.h"
#include "conf/reader.h"
#include "config.h"
#include "master/boot_files.h"
#include "master/master.h"

namespace postern {

namespace {
constexpr Milliseconds kPoliteTime{5000};
}  // namespace

void Master::watch_signals() {
  const auto on = [this](int number, std::function<void()> work) {
    signals_.push_back(std::make_unique<SignalWatch>(loop_, number, std::move(work)));
  };
  on(SIGCHLD, [this] { reap(); });
  on(SIGHUP, [this] { reload(); });
  on(SIGUSR1, [this] { reopen_logs(); });
  on(SIGUSR2,
     [] { log_warning("Received signal 12 (SIGUSR2): ignored, taking over by a new binary is not there yet"); });
  on(SIGQUIT, [this] { drain(); });
  for (const int number : {SIGTERM, SIGINT})
    on(number, [this, number] {
      log_warning(fmt::format("Killed with signal {}", number));
      stop();
    });
}

// --- reload -----------------------------------------------------------------------------------------------------

void Master::reload() {
  if (phase_ != Phase::Running) return log_warning("Reload ignored: starting or stopping");
  notifier_.reloading();
  if (const Status done = replace_configuration(); done)
    log_info(fmt::format("Configuration reloaded, generation {}", generation_));
  else log_error("Config reload failed: " + done.error());
  notifier_.ready(fmt::format("v{} running", PACKAGE_VERSION));
}

// Everything that can fail comes before the first thing that changes.
Status Master::replace_configuration() {
  LoadedConfiguration loaded = load_configuration(options_.file, options_.assignments);
  for (const std::string& warning : loaded.warnings) log_warning(warning);
  for (size_t i = 1; i < loaded.errors.size(); ++i) log_error(loaded.errors[i]);
  if (!loaded.ok()) return Error(loaded.errors[0]);
  const auto environment = look_around(loaded.configuration);
  if (!environment) return Error(environment.error());
  if (environment->base_dir != environment_.base_dir)
    return Error(fmt::format("base_dir = {}: needs a restart", environment->base_dir));
  const Findings findings = check_environment(loaded.configuration, environment_);
  for (const std::string& warning : findings.warnings) log_warning(warning);
  for (size_t i = 1; i < findings.errors.size(); ++i) log_error(findings.errors[i]);
  if (!findings.errors.empty()) return Error(findings.errors[0]);
  const auto plans = plan_listeners(loaded.configuration, environment_);
  if (!plans) return Error(plans.error());
  auto sockets = open_listeners(*plans, sockets_);
  if (!sockets) return Error(sockets.error());
  auto files = options_.logs_to_stderr ? Result<std::vector<Fd>>(std::vector<Fd>())
                                       : open_log_files(loaded.configuration.settings);
  if (!files) return Error("log_path: " + files.error());
  std::vector<std::shared_ptr<Service>> services;
  if (const Status built = build_services(loaded.configuration, *sockets, generation_ + 1, services); !built)
    return built;

  ++generation_;
  configuration_ = std::move(loaded.configuration);
  sockets_ = std::move(*sockets);
  refresh_access(*plans, sockets_);
  log_files_ = std::move(*files);
  log_client_->set_json(configuration_.settings.text(Key::log_format) == "json");
  keep_state(services);
  const auto old = std::exchange(services_, std::move(services));
  retire(old);
  for (const auto& service : services_) open_doors(*service);
  for (const auto& service : services_) refresh(*service);
  return {};
}

// State outlives a reload that doesn't concern it: nobody has to report again.
void Master::keep_state(std::vector<std::shared_ptr<Service>>& services) {
  const auto old = service_of(Role::State);
  for (auto& service : services)
    if (old && service->role == Role::State && service->identity == old->identity && service->program == old->program)
      service = old;
}

// Old login processes keep their sessions; the old auth ends with its last login process, and those that live for
// many connections meet the new one; the old log makes room at once.
void Master::retire(const std::vector<std::shared_ptr<Service>>& services) {
  const bool at_once = configuration_.settings.flag(Key::shutdown_clients);
  for (const auto& service : services) {
    service->doors.clear();
    service->timer.stop();
    service->parent = nullptr;
  }
  const auto kept = service_of(Role::State);
  auth_ = log_process_ = nullptr;
  if (state_ != nullptr && state_->service != kept) state_ = nullptr;
  for (auto& [pid, child] : children_) {
    if (child->old || child->service == kept) continue;
    child->old = true;
    child->service->supervisor.stopping(pid);
    if (child->service->role == Role::Auth) child->channel->send(StopChild{StopHow::Drain});
    if (child->service->role == Role::State) child->channel->send(StopChild{StopHow::Now});
    if (child->service->role == Role::Log) child->channel->send(StopChild{StopHow::Now});
    if (child->service->role == Role::Login) child->channel->send(StopChild{at_once ? StopHow::Now : StopHow::Drain});
  }
  const Milliseconds patience = configuration_.settings.time(Key::reload_drain_timeout);
  if (patience > Milliseconds(0))
    drain_timer_.start(
        loop_, patience, [](void* self) { static_cast<Master*>(self)->drain_timeout(); }, this);
}

// reload_drain_timeout: what is left of former generations ends.
void Master::drain_timeout() {
  for (auto& [pid, child] : children_)
    if (child->old && child->service->role == Role::Login) child->channel->send(StopChild{StopHow::Now});
  for (const auto& [pid, worker] : workers_)
    if (worker.service->generation != generation_) ::kill(static_cast<pid_t>(pid), SIGTERM);
}

void Master::reopen_logs() {
  if (options_.logs_to_stderr) return;
  auto files = open_log_files(configuration_.settings);
  if (!files) return log_error("log_path: " + files.error());
  log_files_ = std::move(*files);
  hand_log_files();
}

// --- stop -------------------------------------------------------------------------------------------------------

void Master::close_doors() {
  for (const auto& service : services_) service->doors.clear();
  sockets_.clear();
}

void Master::drain() {
  if (phase_ != Phase::Running) return;
  log_info("Draining: no new connections, ending with the last session");
  notifier_.stopping("draining");
  phase_ = Phase::Draining;
  close_doors();
  tell(Role::Login, StopHow::Drain);
  advance_stop();
}

void Master::stop() {
  if (stopping()) return;
  notifier_.stopping("stopping");
  phase_ = Phase::StoppingLogin;
  may_kill_ = false;
  close_doors();
  for (const auto& service : services_) service->timer.stop();
  tell(Role::Login, StopHow::Now);
  for (const auto& [pid, worker] : workers_)  // others are told by their parent
    if (children_.count(worker.parent) == 0) ::kill(static_cast<pid_t>(pid), SIGTERM);
  stop_timer_.start(
      loop_, kPoliteTime,
      [](void* self) {
        auto& master = *static_cast<Master*>(self);
        master.may_kill_ = true;
        master.advance_stop();
      },
      this);
  advance_stop();
}

// One kind of process after the other: those that are needed by others last.
void Master::advance_stop() {
  if (phase_ == Phase::Draining && !anybody_at_login()) return stop();
  if (!stopping()) return;
  if (phase_ == Phase::StoppingLogin && !anybody_at_login()) {
    phase_ = Phase::StoppingMail;
    signal_mail(SIGTERM);  // most have seen the end of their input
  }
  if (phase_ == Phase::StoppingMail && mail_.empty()) {
    phase_ = Phase::StoppingAuth;
    tell(Role::Auth, StopHow::Now);
    tell(Role::AuthWorker, StopHow::Now);
    tell(Role::State, StopHow::Now);
  }
  if (phase_ == Phase::StoppingAuth && !anybody(Role::Auth) && !anybody(Role::AuthWorker) && !anybody(Role::State)) {
    phase_ = Phase::StoppingLog;
    log_client_->flush();
    tell(Role::Log, StopHow::Now);
  }
  if (phase_ == Phase::StoppingLog && !anybody(Role::Log)) {
    phase_ = Phase::Over;
    notifier_.status("stopped");
    return loop_.stop();
  }
  if (may_kill_) kill_present_phase();
}

void Master::kill_present_phase() {
  if (phase_ == Phase::StoppingLogin) {
    kill_all(Role::Login);
    for (const auto& [pid, worker] : workers_) ::kill(static_cast<pid_t>(pid), SIGKILL);
  }
  if (phase_ == Phase::StoppingMail) signal_mail(SIGKILL);
  if (phase_ == Phase::StoppingAuth) {
    kill_all(Role::Auth);
    kill_all(Role::AuthWorker);
    kill_all(Role::State);
  }
  if (phase_ == Phase::StoppingLog && !stop_timer_.running()) {  // it still writes what it has
    stop_timer_.start(
        loop_, Milliseconds(2000), [](void* self) { static_cast<Master*>(self)->kill_all(Role::Log); }, this);
  }
}

bool Master::anybody(Role role) const {
  return std::any_of(children_.begin(), children_.end(),
                     [role](const auto& entry) { return entry.second->service->role == role; });
}

bool Master::anybody_at_login() const { return !workers_.empty() || anybody(Role::Login); }

void Master::tell(Role role, StopHow how) {
  for (auto& [pid, child] : children_)
    if (child->service->role == role) {
      child->old = true;
      child->channel->send(StopChild{how});
    }
}

void Master::kill_all(Role role) {
  for (const auto& [pid, child] : children_)
    if (child->service->role == role && !child->reaped) ::kill(static_cast<pid_t>(pid), SIGKILL);
}

}  // namespace postern
