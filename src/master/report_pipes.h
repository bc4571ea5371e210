// What the one-shot workers of each service report to state: one socket pair per service, held by the master so that
// it outlives generations of workers and restarts of state (like log_inputs.h). The master itself says on it who has
// gone, behind what that worker said.
#ifndef POSTERN_MASTER_REPORT_PIPES_H
#define POSTERN_MASTER_REPORT_PIPES_H

#include <map>
#include <memory>
#include <string>

#include "base/fd.h"
#include "event/loop.h"
#include "ipc/channel.h"

namespace postern {

class ReportPipes {
 public:
  explicit ReportPipes(Loop& loop) : loop_(loop) {}

  struct Pipe {
    Fd writer;  // prepared parents get a duplicate
    Fd reader;  // state gets a duplicate
    std::unique_ptr<Channel> ours;
  };
  // Makes the pair at the first call for a service; null when the system has no descriptors left.
  Pipe* get(const std::string& service);
  const std::map<std::string, Pipe>& all() const { return pipes_; }

 private:
  Loop& loop_;
  std::map<std::string, Pipe> pipes_;
};

}  // namespace postern

#endif
