// What the log process reads and writes, held by the master so that both outlive a restart of it: a socket pair per
// service, and the open log files.
#ifndef POSTERN_MASTER_LOG_INPUTS_H
#define POSTERN_MASTER_LOG_INPUTS_H

#include <map>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "conf/settings.h"

namespace postern {

class LogInputs {
 public:
  struct Input {
    Fd writer;  // kLogFd and fd 2 of the service's processes
    Fd reader;  // the log process gets a duplicate
  };
  // Makes the pair at the first call for a service; null when the system has no descriptors left.
  const Input* get(const std::string& service);
  const std::map<std::string, Input>& all() const { return inputs_; }

 private:
  std::map<std::string, Input> inputs_;
};

// Opens log_file_paths() for appending, in their order, made with mode 0640 when missing. Never follows a link that
// stands at the path itself: the folder may belong to a less trusted user. The error names the setting's value.
Result<std::vector<Fd>> open_log_files(const Settings& settings);

}  // namespace postern

#endif
