#include "auth/workers.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/log.h"
#include "base/text.h"

namespace postern {

namespace {

constexpr Milliseconds kQueueTick{500};
constexpr Milliseconds kWarnEvery{300'000};
constexpr Milliseconds kAskAgain{5'000};  // a worker that was asked for and did not come is given up

}  // namespace

struct WorkerPool::Job {
  std::variant<WorkerLookup, WorkerVerify> what;
  std::variant<LookupDone, VerifyDone> done;
  Instant since{};
  bool retried = false;

  void number(uint64_t id) {
    std::visit([&](auto& message) { message.id = id; }, what);
  }
  uint64_t id() const {
    return std::visit([](const auto& message) { return message.id; }, what);
  }
};

// A worker and what it is at. Its channel's callbacks name it; it dies in a deferred call.
struct WorkerPool::Worker {
  Worker(WorkerPool& owner, uint32_t process) : pool(owner), pid(process) {}

  WorkerPool& pool;
  uint32_t pid;
  std::unique_ptr<Job> job;
  Timer overdue;
  std::unique_ptr<Channel> channel;
  bool gone = false;

  void on(const WorkerRow& row) { answer<LookupDone>(row); }
  void on(const WorkerVerdict& verdict) { answer<VerifyDone>(verdict); }

 private:
  // A callback may give this worker its next job, so it is free before.
  template <class Done, class Message>
  void answer(const Message& message) {
    if (job == nullptr || job->id() != message.id || !std::holds_alternative<Done>(job->done))
      return pool.lost(*this, "answer to nothing asked");
    const auto finished_job = std::move(job);
    pool.finished(*this, message.retires);
    std::get<Done>(finished_job->done)(message);
  }
};

WorkerPool::WorkerPool(Loop& loop, Limits limits, std::function<void(uint32_t)> need_worker)
    : loop_(loop), limits_(limits), need_worker_(std::move(need_worker)), alive_(std::make_shared<bool>(true)) {}

WorkerPool::~WorkerPool() { *alive_ = false; }

void WorkerPool::lookup(WorkerLookup what, LookupDone done) {
  submit(std::make_unique<Job>(Job{std::move(what), std::move(done)}));
}

void WorkerPool::verify(WorkerVerify what, VerifyDone done) {
  submit(std::make_unique<Job>(Job{std::move(what), std::move(done)}));
}

void WorkerPool::submit(std::unique_ptr<Job> job) {
  job->since = loop_.now();
  if (queue_.size() >= limits_.queued) {
    loop_.defer(
        [job = std::shared_ptr<Job>(std::move(job))] { fail(*job, "too many requests wait for auth-workers"); });
    return;
  }
  queue_.push_back(std::move(job));
  assign();
}

void WorkerPool::fail(Job& job, const std::string& why) {
  if (auto* done = std::get_if<LookupDone>(&job.done)) {
    WorkerRow row;
    row.why = why;
    (*done)(std::move(row));
  } else {
    WorkerVerdict verdict;
    verdict.why = why;
    std::get<VerifyDone>(job.done)(std::move(verdict));
  }
}

void WorkerPool::assign() {
  while (!queue_.empty() && !idle_.empty()) {
    Worker& worker = *idle_.back();
    idle_.pop_back();
    auto job = std::move(queue_.front());
    queue_.pop_front();
    warn_slow(std::chrono::duration_cast<Milliseconds>(loop_.now() - job->since));
    give(worker, std::move(job));
  }
  if (queue_.empty()) return;
  ask_for_workers();
  if (!queue_timer_.running())
    queue_timer_.start(
        loop_, kQueueTick, [](void* self) { static_cast<WorkerPool*>(self)->check_queue(); }, this);
}

void WorkerPool::ask_for_workers() {
  if (asked_for_ > 0 && loop_.now() - asked_at_ > kAskAgain) asked_for_ = 0;
  const size_t have = workers_.size() + asked_for_;
  if (have >= limits_.workers || asked_for_ >= queue_.size()) return;
  ++asked_for_;
  asked_at_ = loop_.now();
  need_worker_(static_cast<uint32_t>(queue_.size()));
}

void WorkerPool::give(Worker& worker, std::unique_ptr<Job> job) {
  job->number(++next_id_);
  job->since = loop_.now();
  worker.job = std::move(job);
  std::visit([&](const auto& message) { worker.channel->send(message); }, worker.job->what);
  worker.overdue.start(
      loop_, limits_.patience,
      [](void* w) { static_cast<Worker*>(w)->pool.lost(*static_cast<Worker*>(w), "no answer in time"); }, &worker);
}

void WorkerPool::add_worker(Fd socket, uint32_t pid) {
  if (asked_for_ > 0) --asked_for_;
  auto worker = std::make_unique<Worker>(*this, pid);
  Worker* w = worker.get();
  Channel::Events events;
  events.packet = [this, w](std::string_view packet, std::span<Fd> fds) { on_packet(*w, packet, fds); };
  events.lost = [this, w](std::string_view why) { lost(*w, why); };
  w->channel = std::make_unique<Channel>(loop_, std::move(socket), Role::Auth, Role::AuthWorker, std::move(events));
  workers_.push_back(std::move(worker));
  idle_.push_back(w);
  assign();
}

void WorkerPool::on_packet(Worker& worker, std::string_view packet, std::span<Fd> descriptors) {
  if (worker.gone) return;
  const Status status = dispatch(packet, descriptors, Role::AuthWorker, Role::Auth, worker);
  if (!status) lost(worker, status.error());
}

void WorkerPool::finished(Worker& worker, bool retires) {
  worker.overdue.stop();
  if (!retires) idle_.push_back(&worker);
  // After the callback: what it asks for comes behind what waits already.
  loop_.defer([this, alive = alive_] {
    if (*alive) assign();
  });
}

void WorkerPool::lost(Worker& worker, std::string_view why) {
  if (std::exchange(worker.gone, true)) return;
  worker.overdue.stop();
  std::erase(idle_, &worker);
  auto job = std::move(worker.job);
  if (job != nullptr)
    log_error(fmt::format("auth-worker({}): lost while it had a request: {}", worker.pid, printable(why)));
  loop_.defer([this, alive = alive_, w = &worker] {
    if (*alive) workers_.remove_if([w](const auto& have) { return have.get() == w; });
  });
  if (job == nullptr) return;
  if (!std::exchange(job->retried, true)) {
    queue_.push_front(std::move(job));
    return assign();
  }
  loop_.defer([job = std::shared_ptr<Job>(std::move(job))] { fail(*job, "auth-worker died"); });
}

void WorkerPool::check_queue() {
  std::vector<std::unique_ptr<Job>> expired;
  while (!queue_.empty() && SystemClock().now() - queue_.front()->since > limits_.patience) {
    expired.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  if (!queue_.empty()) warn_slow(std::chrono::duration_cast<Milliseconds>(SystemClock().now() - queue_.front()->since));
  assign();
  for (const auto& job : expired) fail(*job, "no auth-worker became free in time");
}

void WorkerPool::warn_slow(Milliseconds waited) {
  if (waited < limits_.warn_after || (warned_at_ != Instant{} && loop_.now() - warned_at_ < kWarnEvery)) return;
  warned_at_ = loop_.now();
  log_warning(
      fmt::format("auth-workers: a request waited {} s; {} at work, {} waiting: consider a larger process_limit of "
                  "service auth-worker",
                  waited.count() / 1000, workers_.size() - idle_.size(), queue_.size()));
}

}  // namespace postern
