// base_dir/master.pid: "PID\n", locked for the master's life (MASTER-38).
#ifndef POSTERN_MASTER_PID_FILE_H
#define POSTERN_MASTER_PID_FILE_H

#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace postern {

class PidFile {
 public:
  ~PidFile() { remove(); }
  PidFile() = default;
  PidFile(const PidFile&) = delete;
  PidFile& operator=(const PidFile&) = delete;

  enum class Taken { Ours, Running, Broken };
  // Locks and writes the file. Running: another master holds it; Broken: it cannot be made. `why` says it.
  Taken take(const std::string& path, std::string& why);
  // Unlinks it, when it is ours.
  void remove();

 private:
  std::string path_;
  Fd fd_;
};

}  // namespace postern

#endif
