// A message while it is on its way: in memory as long as it is small, then in a temporary file that has no name
// (LMTP-38). It goes with the process: nothing is acknowledged that is only here (LMTP-46).
#ifndef POSTERN_DELIVERY_SPOOL_H
#define POSTERN_DELIVERY_SPOOL_H

#include <cstdint>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace postern {

// Where temporary files are made, from inside the jail: a folder opened before it.
class SpoolFolder {
 public:
  SpoolFolder() = default;
  // The error names the folder and says why nameless files cannot be had there.
  static Result<SpoolFolder> open(const std::string& path);
  // A new file for reading and writing.
  Result<Fd> make_file() const;

 private:
  Fd folder_;
};

class Spool {
 public:
  // `folder` outlives it. Above `memory` bytes the message is in a file.
  Spool(const SpoolFolder& folder, uint64_t memory) : folder_(folder), memory_limit_(memory) {}

  // An error (no room ...) is for good: size() stands still from then on.
  Status append(std::string_view bytes);
  uint64_t size() const { return size_; }
  bool is_in_memory() const { return !file_; }
  // Bytes from `offset` on, at most `max`; in `buffer`, which has room for them, or in the spool itself. Empty behind
  // the end. The error: the file cannot be read.
  Result<std::string_view> read(uint64_t offset, char* buffer, size_t max) const;

 private:
  void remember(std::string_view bytes);
  Status spill();
  Status write_out(std::string_view bytes);

  const SpoolFolder& folder_;
  const uint64_t memory_limit_;
  std::string memory_;
  Fd file_;
  uint64_t size_ = 0;
  std::string broken_;  // why nothing more can be kept
};

// All of `bytes` into a file.
Status write_all(int file, std::string_view bytes);

}  // namespace postern

#endif
