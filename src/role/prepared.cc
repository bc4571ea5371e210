#include "role/prepared.h"

#include "config.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <optional>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/log.h"
#include "ipc/packet_batch.h"

namespace postern {

namespace {

constexpr size_t kPacketRoom = 256;  // ForkWorker has below 40 bytes
constexpr size_t kDescriptors = 2;   // of ForkWorker
constexpr size_t kControlRoom = CMSG_SPACE(kDescriptors * sizeof(int));

// No libevent here: a base must not be inherited (PROBES 1), and this process has two descriptors to watch.
class PreparedParent {
 public:
  PreparedParent(RoleProcess& process, const std::function<int(Handover)>& serve) : process_(process), serve_(serve) {}
  int run();

  void on(const ForkWorker& order, std::span<Fd> descriptors);
  void on(const StopChild& stop);
  void on(const PeerOpened& peer, std::span<Fd> descriptors);

 private:
  struct Order {
    ForkWorker what;
    std::vector<Fd> descriptors;
  };

  bool receive();
  void take_packet(int i);
  void fork_ordered();
  [[noreturn]] void become_worker(Order order);
  void reap();
  template <Message M>
  void report(const M& message) {
    encode_message(message, reports_.emplace_back());
  }
  void send_reports();
  bool over() const { return leaving_ || (stopping_ && workers_.empty()); }

  RoleProcess& process_;
  const std::function<int(Handover)>& serve_;
  PacketBatch incoming_{kPacketRoom, kControlRoom};
  std::deque<Order> orders_;
  std::deque<std::string> reports_;
  std::unordered_set<pid_t> workers_;
  Fd reports_to_state_;
  sigset_t open_mask_;  // as it was: SIGCHLD and SIGTERM come in while waiting
  bool leaving_ = false, stopping_ = false;
};

volatile sig_atomic_t terminated = 0;

void watch_signals(sigset_t& before) {
  struct sigaction action = {};
  action.sa_handler = [](int number) { terminated = terminated != 0 || number == SIGTERM; };
  ::sigaction(SIGCHLD, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  sigset_t held;
  sigemptyset(&held);
  sigaddset(&held, SIGCHLD);
  sigaddset(&held, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &held, &before);
}

#if defined(__GLIBC__) && !defined(POSTERN_SANITIZED)
// Where the heap's unbroken rest begins.
const char* heap_rest() { return static_cast<const char*>(::sbrk(0)) - ::mallinfo2().keepcost; }

// Setting up leaves holes all over the heap. A worker that allocated from them would write to a page of each, and pay
// for a copy (30 of its 90 page faults): they are taken out of use, workers begin on the fresh rest. Costs what was
// free already.
void close_heap_holes() {
  ::malloc_trim(0);
  constexpr size_t kHeader = 8, kSmallest = 24, kStep = 16,
                   kSmall = 1032;  // requests that fill a chunk of each size exactly
  for (size_t size = 64 * kSmall; size >= kSmallest; size = size > kSmall ? size / 2 : size - kStep)
    for (bool hole = true; hole;) {
      const char* rest = heap_rest();
      const char* taken = static_cast<const char*>(::malloc(size));  // for good
      hole = taken != nullptr && taken + kHeader < rest;
    }
}
#else
void close_heap_holes() {}
#endif

int PreparedParent::run() {
  watch_signals(open_mask_);
  close_heap_holes();
  report(ChildReady{1});
  send_reports();
  while (!over()) {
    pollfd watched[] = {{kControlFd, static_cast<short>(POLLIN | (reports_.empty() ? 0 : POLLOUT)), 0},
                        {kDeadManFd, POLLIN, 0}};
    ::ppoll(watched, 2, nullptr, &open_mask_);
    if (watched[1].revents != 0) return kExitOk;  // no master, no clients; the workers go on by themselves
    if ((watched[0].revents & (POLLIN | POLLHUP)) != 0 && !receive()) return kExitOk;
    if (std::exchange(terminated, 0) != 0) on(StopChild{StopHow::Now});
    fork_ordered();
    reap();
    send_reports();
  }
  return kExitOk;
}

bool PreparedParent::receive() {
  const int got = incoming_.receive(kControlFd);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  for (int i = 0; i < got; ++i) {
    if (incoming_.bytes(i).empty()) return false;
    take_packet(i);
  }
  return got > 0;
}

void PreparedParent::take_packet(int i) {
  std::vector<Fd> descriptors = incoming_.take_descriptors(i);
  // A message that breaks the rules, from the master: this program and that one do not fit (HACKING 7).
  if (incoming_.cut(i)) fatal(kExitSoftware, "a message of the master was truncated");
  if (const Status status = dispatch(incoming_.bytes(i), descriptors, Role::Master, Role::Login, *this); !status)
    fatal(kExitSoftware, status.error());
}

void PreparedParent::on(const ForkWorker& order, std::span<Fd> descriptors) {
  Order& o = orders_.emplace_back(Order{order, {}});
  for (Fd& fd : descriptors) o.descriptors.push_back(std::move(fd));
}

void PreparedParent::on(const PeerOpened& peer, std::span<Fd> descriptors) {
  if (peer.peer == Role::State && !descriptors.empty()) reports_to_state_ = std::move(descriptors[0]);
}

void PreparedParent::on(const StopChild& stop) {
  leaving_ = stop.how == StopHow::Drain;
  stopping_ = true;
  fork_ordered();
  if (stop.how == StopHow::Now)
    for (const pid_t pid : workers_) ::kill(pid, SIGTERM);
}

// A fork that fails is told as a worker that never was: the master counted it already.
void PreparedParent::fork_ordered() {
  while (!orders_.empty()) {
    Order order = std::move(orders_.front());
    orders_.pop_front();
    const pid_t pid = order.descriptors.size() == kDescriptors ? ::fork() : -1;
    if (pid == 0) become_worker(std::move(order));
    if (pid < 0) log_error(std::string("fork: ") + strerror(errno));
    if (pid > 0) workers_.insert(pid);
    report(WorkerForked{static_cast<uint32_t>(std::max(pid, 0))});
  }
}

void PreparedParent::become_worker(Order order) {
  orders_.clear();  // the descriptors of other clients
  ::signal(SIGCHLD, SIG_DFL);
  ::signal(SIGTERM, SIG_DFL);
  ::sigprocmask(SIG_SETMASK, &open_mask_, nullptr);
  process_.forked();
  const int status = serve_({order.what.listener, order.what.remote, std::move(order.descriptors[0]),
                             std::move(order.descriptors[1]), reports_to_state_.get()});
  log_sink().flush();
  ::_exit(status);  // destructors would only touch pages that are shared with the parent
}

void PreparedParent::reap() {
  int status = 0;
  for (pid_t pid; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
    workers_.erase(pid);
    report(WorkerEnded{static_cast<uint32_t>(pid), status});
  }
}

void PreparedParent::send_reports() {
  while (!reports_.empty()) {
    mmsghdr messages[kPacketsPerCall] = {};
    iovec iov[kPacketsPerCall];
    const auto count = static_cast<unsigned>(std::min<size_t>(reports_.size(), kPacketsPerCall));
    for (unsigned i = 0; i < count; ++i) {
      iov[i] = {reports_[i].data(), reports_[i].size()};
      messages[i].msg_hdr.msg_iov = &iov[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
    const int sent = ::sendmmsg(kControlFd, messages, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent <= 0 && errno == EINTR) continue;
    if (sent <= 0) return;  // full: the next turn waits for room; gone: the next turn sees it
    reports_.erase(reports_.begin(), reports_.begin() + sent);
  }
}

}  // namespace

int run_prepared(RoleProcess& process, const std::function<int(Handover)>& serve) {
  PreparedParent parent(process, serve);
  return parent.run();
}

}  // namespace postern
