// The one relay: bytes both ways between two streams after login, and nothing else (ALG-50).
#ifndef POSTERN_PROXY_RELAY_H
#define POSTERN_PROXY_RELAY_H

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "event/loop.h"
#include "tls/stream.h"

namespace postern {

// What all relays of a process share: one buffer, and pipes for bulk transfers.
class RelayPool {
 public:
  // `last_delivery`: once one side has gone, how long the other may go without taking any of what is still for it;
  // twice as long at the most.
  explicit RelayPool(Milliseconds last_delivery) : last_delivery_(last_delivery) {}

  static constexpr size_t kBuffer = 64 * 1024;  // PROBES 11
  struct Pipe {
    Fd read, write;
  };

  char* buffer() { return buffer_.get(); }
  Milliseconds last_delivery() const { return last_delivery_; }
  // An empty pipe, or null when there are kMaxPipes in use or the system has none left.
  std::unique_ptr<Pipe> borrow_pipe();
  // Takes back a pipe; it must be empty, else destroy it.
  void give_back(std::unique_ptr<Pipe> pipe);

 private:
  static constexpr size_t kMaxPipes = 64;
  const Milliseconds last_delivery_;
  std::unique_ptr<char[]> buffer_{new char[kBuffer]};
  std::vector<std::unique_ptr<Pipe>> idle_;
  size_t in_use_ = 0;
};

// Relays until one side ends. Idle, it holds two streams, two watches and a few counters; what one side
// cannot take at once is held back, and then its source is not read.
class Relay {
 public:
  enum Side : uint8_t { kFront = 0, kBack = 1 };
  static constexpr Side other(Side s) { return s == kFront ? kBack : kFront; }

  class Owner {
   public:
    // `side` closed or failed (`error` says how, empty for an orderly end); what it had sent was handed on as
    // far as the other side took it. The relay has stopped; called once, never from within start().
    virtual void relay_ended(Side side, const std::string& error) = 0;
    // The side that discard() was called for has ended, too.
    virtual void discarded_ended() = 0;

   protected:
    ~Owner() = default;
  };

  Relay(Loop& loop, RelayPool& pool, Owner& owner, Stream front, Stream back);

  // Begins with bytes that were read before: what the client pipelined behind its login, and what the backend
  // sent behind its acceptance. Each is delivered exactly once, first.
  void start(std::string_view to_back, std::string_view to_front);
  // Stops watching; nothing more is delivered.
  void stop();
  // After the end of the other side: what `side` sends is read and dropped until it ends (ALG-5), or stop().
  void discard(Side side);

  // Bytes written to `side` since start().
  uint64_t written(Side side) const { return flows_[side].written; }
  // Bytes held back on their way to `side`.
  size_t held(Side side) const;
  // Seconds on the monotonic clock of the last traffic.
  uint32_t last_activity() const { return last_activity_; }
  Stream& stream(Side side) { return sides_[side].stream; }

 private:
  // Bytes on their way to a side that could not take them.
  struct Held {
    std::string bytes;
    size_t at = 0;
  };
  struct Flow {
    std::unique_ptr<Held> held;
    std::unique_ptr<RelayPool::Pipe> pipe;  // while bulk data goes this way
    uint64_t written = 0;
    uint32_t in_pipe = 0;
    uint8_t full_reads = 0;  // in a row
  };
  struct End {
    Stream stream;
    Watch watch;
    bool ended = false;  // read to its end; the flow it feeds is still draining
  };
  // While one side does not take what the other has sent: what is not read does not tell that it has gone.
  struct Stall {
    Timer timer;
    std::array<uint64_t, 2> written;
  };
  enum class Pumped : uint8_t { Drained, More, Blocked, Ended };

  static void on_ready(Relay& relay, Side side, short what);
  void drop_input(Side side);
  bool blocked(Side to) const { return flows_[to].held != nullptr || flows_[to].in_pipe > 0; }
  bool drain(Side to);
  bool drain_held(Side to);
  void pump(Side from);
  Pumped pump_once(Side from);
  Pumped splice_once(Side from);
  bool deliver(Side to, std::string_view data);
  bool may_splice(Side from) const;
  void leave_bulk(Side to);
  void finish_reading(Side from, IoResult result);
  void end(Side side, std::string error);
  void update_watches();
  void watch_stall();
  void check_stall();
  bool has_gone(Side side) const;

  Loop& loop_;
  RelayPool& pool_;
  Owner& owner_;
  std::array<End, 2> sides_;
  std::array<Flow, 2> flows_;  // by destination
  std::unique_ptr<Stall> stall_;
  uint32_t last_activity_ = 0;
  bool stopped_ = true;
};

}  // namespace postern

#endif
