// Where lines end: a file, stderr, syslog. Nothing here waits: what cannot be written is kept up to a limit and
// tried again; what comes on top is dropped and counted.
#ifndef POSTERN_LOG_OUTPUT_H
#define POSTERN_LOG_OUTPUT_H

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/fd.h"

namespace postern {

class Output {
 public:
  // `name` for complaints; `complain` gets them, at most one per outage and one at its end.
  Output(std::string name, std::function<void(std::string_view)> complain)
      : name_(std::move(name)), complain_(std::move(complain)) {}
  virtual ~Output() = default;

  // Writes first when there is no room; a line that finds none even then is lost, and counted.
  void add(std::string line);
  // Forgets what waits.
  void discard();
  // Writes what waits; false when some still does.
  bool pump();
  size_t waiting_bytes() const { return waiting_bytes_; }
  uint64_t lost() const { return lost_; }

  static constexpr size_t kMaxWaiting = 1024 * 1024;

 protected:
  struct Progress {
    size_t bytes = 0;  // written from the front of `text`
    int error = 0;     // errno; 0 with fewer bytes: try again later
  };
  // Writes from `text`, which is one line or, with batches(), several.
  virtual Progress write_some(std::string_view text) = 0;
  virtual bool batches() const { return true; }
  void restart() { failing_ = false; }

 private:
  std::string next_text() const;
  void take(size_t bytes);
  void failed(int error);

  std::string name_;
  std::function<void(std::string_view)> complain_;
  std::deque<std::string> lines_;
  size_t waiting_bytes_ = 0, written_of_first_ = 0;
  uint64_t lost_ = 0, lost_told_ = 0;
  bool failing_ = false;
};

class FileOutput final : public Output {
 public:
  using Output::Output;
  // Continues in another descriptor of the same path (ReopenLogs).
  void reopen(Fd fd) {
    fd_ = std::move(fd);
    restart();
  }

 protected:
  Progress write_some(std::string_view text) override;

 private:
  Fd fd_;
};

// Our own stderr, which may be a pipe whose reader sleeps; its flags are not ours to change.
class StderrOutput final : public Output {
 public:
  using Output::Output;

 protected:
  Progress write_some(std::string_view text) override;
};

// The local syslog by its datagram socket (RFC 3164 framing); libc's would wait for room.
class SyslogOutput final : public Output {
 public:
  SyslogOutput(int facility, std::string ident, std::function<void(std::string_view)> complain,
               std::string path = "/dev/log");
  // A complete datagram.
  std::string frame(int priority, std::string_view text, uint64_t wall_milliseconds) const;

 protected:
  Progress write_some(std::string_view text) override;
  bool batches() const override { return false; }

 private:
  bool connect();
  int facility_;
  std::string ident_, path_;
  Fd socket_;
};

// LOG_MAIL and so on from the word in the settings.
int syslog_facility_of(std::string_view word);

}  // namespace postern

#endif
