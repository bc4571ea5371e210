#include "role/log_paths.h"

#include <algorithm>

namespace postern {

const std::string& log_path_of(const Settings& settings, LogLevel level) {
  const std::string& errors = settings.text(Key::log_path);
  const std::string& info = settings.text(Key::info_log_path).empty() ? errors : settings.text(Key::info_log_path);
  const std::string& debug = settings.text(Key::debug_log_path).empty() ? info : settings.text(Key::debug_log_path);
  if (level == LogLevel::Debug) return debug;
  return level == LogLevel::Info ? info : errors;
}

bool is_log_file(const std::string& path) { return !path.empty() && path[0] == '/' && path != "/dev/stderr"; }

std::vector<std::string> log_file_paths(const Settings& settings) {
  std::vector<std::string> paths;
  for (const LogLevel level : {LogLevel::Error, LogLevel::Info, LogLevel::Debug}) {
    const std::string& path = log_path_of(settings, level);
    if (is_log_file(path) && std::find(paths.begin(), paths.end(), path) == paths.end()) paths.push_back(path);
  }
  return paths;
}

}  // namespace postern
