// A mail program that auth had started for this session, until it serves its user (DECISIONS section 8).
#ifndef POSTERN_LOGIN_PROGRAM_START_H
#define POSTERN_LOGIN_PROGRAM_START_H

#include <string>

#include "event/loop.h"
#include "proto/protocol.h"
#include "tls/stream.h"

namespace postern {

class ProgramStart {
 public:
  class Owner {
   public:
    // From within start() or a turn of the loop; the owner may destroy this.
    virtual void program_ready(std::string capabilities) = 0;
    virtual void program_failed(std::string why) = 0;

   protected:
    ~Owner() = default;
  };

  ProgramStart(Loop& loop, const Protocol& protocol, Fd socket, uint32_t pid, Owner& owner)
      : loop_(loop), protocol_(protocol), stream_(std::move(socket)), pid_(pid), owner_(owner) {}
  ~ProgramStart() { watch_.stop(); }
  ProgramStart(const ProgramStart&) = delete;
  ProgramStart& operator=(const ProgramStart&) = delete;

  void start();
  uint32_t pid() const { return pid_; }
  // Once ready: the rest is a relay's.
  Stream take_stream();
  std::string take_leftover() { return std::move(received_); }

  static constexpr Milliseconds kPatience{30000};

 private:
  void read();
  bool greeted();

  Loop& loop_;
  const Protocol& protocol_;
  Stream stream_;
  uint32_t pid_;
  Owner& owner_;
  Watch watch_;
  Timer patience_;
  std::string received_;
};

}  // namespace postern

#endif
