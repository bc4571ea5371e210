// service_count = 1: the master accepts, the prepared parent forks, the worker serves (MASTER-17, PROBES 1). Every
// step here is paid by every login: no scan over children, no line in the log.
#include <errno.h>
#include <fmt/core.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/log.h"
#include "master/master.h"
#include "master/wait_text.h"
#include "role/prepared.h"

namespace postern {

namespace {
constexpr uint32_t kAcceptsPerTurn = 16;
constexpr size_t kMaxWaitingForAuth = 1024;
constexpr uint32_t kMaxOrders = 128;  // not yet carried out by one parent: each holds two descriptors
}  // namespace

Child* Master::prepared_parent(const Service& service) {
  // Found by the service itself: at most one process counts at a time.
  if (service.parent == nullptr || !service.supervisor.is_ready(service.parent->pid)) return nullptr;
  return service.parent;
}

void Master::refresh_worker_doors(Service& service) {
  const Instant now = loop_.now();
  const bool closed = phase_ == Phase::Draining || service.gate->throttled(now) || service.gate->paused(now);
  // While nothing can be started and nothing is left, clients see a close instead of a hang (MASTER-29).
  const Child* parent = prepared_parent(service);
  const bool poll = !closed && (parent != nullptr ? parent->orders < kMaxOrders : service.supervisor.lost(now));
  for (const auto& door : service.doors) door->watch.set(poll ? EV_READ : 0);
}

void Master::accept_for_workers(Service::Door& door) {
  Service& service = *door.service;
  Child* parent = prepared_parent(service);
  if (parent == nullptr) {
    if (service.supervisor.lost(loop_.now())) discard_waiting(service);
    return touch(service);
  }
  if (parent->orders >= kMaxOrders) return touch(service);
  const uint32_t room = std::min(service.gate->room(loop_.now()), kAcceptsPerTurn);
  for (uint32_t i = 0; i < room; ++i) {
    sockaddr_storage address;
    socklen_t length = sizeof address;
    Fd client(
        ::accept4(door.socket->fd.get(), reinterpret_cast<sockaddr*>(&address), &length, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!client) return accept_failed(service, errno);
    order_worker(*parent, {door.index, Endpoint::from_sockaddr(reinterpret_cast<sockaddr*>(&address))},
                 std::move(client));
  }
  if (service.gate->room(loop_.now()) > 0) return;
  // Whether somebody waits in vain is known at the next connection.
  if (room == 0 && service.gate->full(loop_.now())) warn_full(service);
  if (room == 0) touch(service);
}

void Master::accept_failed(const Service& service, int error) {
  if (error == EAGAIN || error == ECONNABORTED || error == EINTR) return;
  if (last_accept_error_ != Instant{} && loop_.now() - last_accept_error_ < Supervisor::kWarnEvery) return;
  last_accept_error_ = loop_.now();
  say(LogLevel::Error, service, std::string("accept() failed: ") + strerror(error));
}

void Master::order_worker(Child& parent, const ForkWorker& order, Fd client) {
  auto pair = make_channel_pair();
  if (!pair) return accept_failed(*parent.service, EMFILE);
  std::vector<Fd> descriptors;
  descriptors.reserve(2);
  descriptors.push_back(std::move(client));
  descriptors.push_back(std::move(pair->first));
  parent.channel->send(order, std::move(descriptors));
  ++parent.orders;
  parent.service->gate->ordered();
  give_auth(std::move(pair->second));
}

void Master::give_auth(Fd peer) {
  if (auth_ == nullptr) {
    // It is being restarted; the worker waits. Beyond the limit it sees the end of its socket.
    if (waiting_for_auth_.size() < kMaxWaitingForAuth) waiting_for_auth_.push_back(std::move(peer));
    return;
  }
  std::vector<Fd> descriptors;
  descriptors.push_back(std::move(peer));
  auth_->channel->send(PeerOpened{Role::Login, 0}, std::move(descriptors));
}

void Master::on_worker_forked(Child& parent, uint32_t pid) {
  const auto service = parent.service;
  if (parent.orders > 0 && --parent.orders == kMaxOrders - 1) touch(*service);
  if (pid == 0) return worker_over(service, 0, W_EXITCODE(kExitOs, 0));
  if (const auto ended = early_ends_.find(pid); ended != early_ends_.end()) {
    const int status = ended->second;
    early_ends_.erase(ended);
    return worker_over(service, pid, status);
  }
  workers_[pid] = {service, parent.pid};
}

void Master::on_worker_ended(uint32_t pid, int wait_status) {
  const auto found = workers_.find(pid);
  if (found == workers_.end()) return;
  const auto service = std::move(found->second.service);
  workers_.erase(found);
  worker_over(service, pid, wait_status);
}

// Only those that are ours and live: a pid is not reused before it is reaped here or by the parent, who says so.
void Master::kick_workers(const KickWorkers& kick) {
  const int number = kick.many ? kKickOneOfManySignal : kKickSignal;
  for (const uint32_t pid : kick.pids)
    if (workers_.count(pid) != 0) ::kill(static_cast<pid_t>(pid), number);
}

void Master::worker_over(const std::shared_ptr<Service>& service, uint32_t pid, int wait_status) {
  const bool clean = ended_clean(wait_status), was_full = service->gate->room(loop_.now()) == 0;
  const bool throttled = service->gate->ended(clean, loop_.now());
  if (pid != 0) service->reports->ours->send(WorkerGone{pid});
  if (!clean && !stopping())
    say(LogLevel::Error, *service, describe_end(pid, wait_status, service->settings.vsz_limit));
  if (throttled)
    say(LogLevel::Error, *service,
        fmt::format("command startup failed, throttling for {:.3f} secs",
                    static_cast<double>(service->gate->throttle_delay().count()) / 1000));
  if (stopping() || phase_ == Phase::Draining) return advance_stop();
  if (!was_full && !throttled) return;
  for (const auto& current : services_)
    if (current->gate == service->gate) touch(*current);
}

}  // namespace postern
