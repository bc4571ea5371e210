// The log of a role: lines go in batches to the log process over one end of a SOCK_SEQPACKET pair.
#ifndef POSTERN_ROLE_LOG_CLIENT_H
#define POSTERN_ROLE_LOG_CLIENT_H

#include <deque>
#include <string>
#include <string_view>

#include "base/log.h"
#include "event/loop.h"

namespace postern {

// What the log process does not take waits here. Beyond kCalm bytes the writer waits for it, kPatience at most, and
// then not again until it reads: many sessions may end at once, and their lines are not to fill our memory. Beyond
// kMaxWaiting bytes lines are lost, counted, and told once there is room.
class LogClient final : public LogSink {
 public:
  // `fd` stays the caller's. `json`: events as JSON members (log_format).
  LogClient(int fd, bool json);

  void line(LogLevel level, std::string_view text) override;
  void event(const LogEvent& event) override;
  void flush() override;

  // From now on lines below Warning may wait for kBatchDelay, to travel together.
  void attach(Loop& loop);
  // In a forked worker: forgets what the parent holds and its loop, takes the new pid.
  void forked();
  // After a reload.
  void set_json(bool json) { json_ = json; }
  bool wants_facts() const override { return json_; }
  uint64_t lost() const { return lost_; }
  size_t waiting_bytes() const { return waiting_bytes_; }

  static constexpr Milliseconds kBatchDelay{50};
  static constexpr size_t kCalm = 256 * 1024;
  static constexpr int kPatience = 20;  // milliseconds
  // A worker whose 10,000 sessions end at once has about 3 MB to say.
  static constexpr size_t kMaxWaiting = 4 * 1024 * 1024;

 private:
  struct Packet {
    std::string bytes;
    uint32_t lines = 0;
  };
  void begin_record();
  void end_record(LogLevel level);
  void close_batch();
  void send_waiting();
  void wait_for_reader();
  void report_losses();
  static void on_timer(void* self);

  int fd_;
  bool json_;
  Loop* loop_ = nullptr;
  Timer timer_;
  Packet batch_;
  std::deque<Packet> waiting_;
  size_t waiting_bytes_ = 0;
  bool patient_ = true;
  uint64_t lost_ = 0, lost_told_ = 0;
};

}  // namespace postern

#endif
