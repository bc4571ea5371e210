// The pool of auth-workers: each does one blocking thing at a time; what finds none idle waits in order
// (AUTH-18, AUTH-28, AUTH-50).
#ifndef POSTERN_AUTH_WORKERS_H
#define POSTERN_AUTH_WORKERS_H

#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <variant>

#include "base/fd.h"
#include "event/loop.h"
#include "ipc/channel.h"

namespace postern {

class WorkerPool {
 public:
  using LookupDone = std::function<void(WorkerRow)>;
  using VerifyDone = std::function<void(WorkerVerdict)>;

  struct Limits {
    uint32_t workers = 30;
    size_t queued = 10000;          // jobs beyond it fail at once
    Milliseconds patience{60000};   // in the queue, and again at work
    Milliseconds warn_after{3000};  // in the queue
  };
  // `need_worker(jobs waiting)` asks the master for one more.
  WorkerPool(Loop& loop, Limits limits, std::function<void(uint32_t)> need_worker);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Each `done` is called once, never before the call returned: with what the worker said, or Broken and a reason.
  // A job whose worker dies is tried once more with another one. Jobs cannot be cancelled.
  void lookup(WorkerLookup what, LookupDone done);
  void verify(WorkerVerify what, VerifyDone done);

  void add_worker(Fd socket, uint32_t pid);
  size_t waiting() const { return queue_.size(); }
  size_t workers() const { return workers_.size(); }

 private:
  struct Job;
  struct Worker;

  void submit(std::unique_ptr<Job> job);
  void assign();
  void ask_for_workers();
  void give(Worker& worker, std::unique_ptr<Job> job);
  void on_packet(Worker& worker, std::string_view packet, std::span<Fd> descriptors);
  void finished(Worker& worker, bool retires);
  void lost(Worker& worker, std::string_view why);
  void check_queue();
  void warn_slow(Milliseconds waited);
  static void fail(Job& job, const std::string& why);

  Loop& loop_;
  Limits limits_;
  std::function<void(uint32_t)> need_worker_;
  std::list<std::unique_ptr<Worker>> workers_;
  std::vector<Worker*> idle_;
  std::deque<std::unique_ptr<Job>> queue_;
  uint64_t next_id_ = 0;
  uint32_t asked_for_ = 0;  // workers that the master was asked for and that did not come yet
  Instant asked_at_{};
  Instant warned_at_{};
  Timer queue_timer_;
  std::shared_ptr<bool> alive_;
};

}  // namespace postern

#endif
