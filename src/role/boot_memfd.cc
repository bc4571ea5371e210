#include "role/boot_memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/wire.h"
#include "config.h"

namespace postern {

namespace {

constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
constexpr std::string_view kVersion = PACKAGE_VERSION;  // both programs must come from one build (MASTER-41)

Error failure(std::string_view what) { return Error("boot memfd: " + std::string(what) + ": " + strerror(errno)); }

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

Result<ChildBoot> decode(std::string_view bytes) {
  Reader reader(bytes);
  std::string version;
  reader.get(version);
  if (!reader.ok() || version != kVersion)
    return Error("boot memfd: the master is of another version than this program (" + std::string(kVersion) + ")");
  ChildBoot boot;
  reader.get(boot);
  if (!reader.ok() || !reader.at_end()) return Error("boot memfd: malformed");
  return boot;
}

}  // namespace

Result<Fd> seal_boot(ChildBoot& boot) {
  std::string bytes;
  Writer writer(bytes);
  writer.put(kVersion);
  writer.put(boot);
  Fd fd(::memfd_create("postern-boot", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  const bool written = fd && write_all(fd.get(), bytes);
  secure_zero(bytes.data(), bytes.size());  // private keys were in there
  if (!written) return failure("write");
  if (::fcntl(fd.get(), F_ADD_SEALS, kSeals) != 0) return failure("seal");
  return fd;
}

Result<ChildBoot> read_boot(int fd) {
  if (const int seals = ::fcntl(fd, F_GET_SEALS); seals < 0 || (seals & kSeals) != kSeals)
    return Error("boot memfd: not sealed by a master");
  struct stat st;
  if (::fstat(fd, &st) != 0) return failure("stat");
  const auto size = static_cast<size_t>(st.st_size);
  void* map = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
  if (map == MAP_FAILED) return failure("map");
  auto boot = decode({static_cast<const char*>(map), size});
  ::munmap(map, size);
  return boot;
}

}  // namespace postern
