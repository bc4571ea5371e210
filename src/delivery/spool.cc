#include "delivery/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace postern {

Result<SpoolFolder> SpoolFolder::open(const std::string& path) {
  SpoolFolder out;
  out.folder_ = Fd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!out.folder_) return Error(path + ": " + strerror(errno));
  return out;
}

Result<Fd> SpoolFolder::make_file() const {
  if (!folder_) return Error("mail_temp_dir is not available");
  Fd file(::openat(folder_.get(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!file) return Error(std::string("mail_temp_dir: no file without a name can be made: ") + strerror(errno));
  return file;
}

Status write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(file, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return Error(std::string("mail_temp_dir: ") + strerror(n < 0 ? errno : EIO));
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return {};
}

Status Spool::append(std::string_view bytes) {
  if (!broken_.empty()) return Error(broken_);
  const bool fits = !file_ && size_ + bytes.size() <= memory_limit_;
  Status status;
  if (fits) remember(bytes);
  else status = write_out(bytes);
  if (status) size_ += bytes.size();
  else broken_ = status.error();
  return status;
}

// Grows by doubling, but never takes more than the limit.
void Spool::remember(std::string_view bytes) {
  const size_t needed = memory_.size() + bytes.size(), limit = static_cast<size_t>(memory_limit_);
  if (needed > memory_.capacity()) memory_.reserve(std::max(needed, std::min(2 * memory_.capacity(), limit)));
  memory_ += bytes;
}

Status Spool::write_out(std::string_view bytes) {
  if (!file_)
    if (const Status spilled = spill(); !spilled) return spilled;
  return write_all(file_.get(), bytes);
}

Status Spool::spill() {
  auto file = folder_.make_file();
  if (!file) return Error(file.error());
  if (const Status written = write_all(file->get(), memory_); !written) return written;
  file_ = std::move(*file);
  std::string().swap(memory_);
  return {};
}

Result<std::string_view> Spool::read(uint64_t offset, char* buffer, size_t max) const {
  if (offset >= size_) return std::string_view();
  if (!file_) return std::string_view(memory_).substr(static_cast<size_t>(offset), max);
  ssize_t n;
  do n = ::pread(file_.get(), buffer, max, static_cast<off_t>(offset));
  while (n < 0 && errno == EINTR);
  if (n <= 0)
    return Error(std::string("mail_temp_dir: ") + (n < 0 ? strerror(errno) : "the file is shorter than it was"));
  return std::string_view(buffer, static_cast<size_t>(n));
}

}  // namespace postern
