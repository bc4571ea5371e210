#include "master/log_inputs.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <string.h>
#include <sys/stat.h>

#include "ipc/channel.h"
#include "role/log_paths.h"

namespace postern {

namespace {

Result<Fd> open_log_file(const std::string& path) {
  Fd fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0640));
  struct stat st;
  if (!fd || ::fstat(fd.get(), &st) != 0) return Error(fmt::format("{}: {}", path, strerror(errno)));
  if (S_ISREG(st.st_mode) && st.st_nlink > 1) return Error(fmt::format("{}: has a second name (hard link)", path));
  return fd;
}

}  // namespace

const LogInputs::Input* LogInputs::get(const std::string& service) {
  if (const auto found = inputs_.find(service); found != inputs_.end()) return &found->second;
  auto pair = make_channel_pair();
  if (!pair) return nullptr;
  return &inputs_.emplace(service, Input{std::move(pair->first), std::move(pair->second)}).first->second;
}

Result<std::vector<Fd>> open_log_files(const Settings& settings) {
  std::vector<Fd> files;
  for (const std::string& path : log_file_paths(settings)) {
    auto file = open_log_file(path);
    if (!file) return Error(file.error());
    files.push_back(std::move(*file));
  }
  return files;
}

}  // namespace postern
