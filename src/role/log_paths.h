// Where log lines go, as the settings say it. Shared by the master, which opens the files, and the log process.
#ifndef POSTERN_ROLE_LOG_PATHS_H
#define POSTERN_ROLE_LOG_PATHS_H

#include <string>
#include <vector>

#include "base/log.h"
#include "conf/settings.h"

namespace postern {

// Path of lines of `level`: log_path, info_log_path or debug_log_path, each falling back to the one before.
const std::string& log_path_of(const Settings& settings, LogLevel level);
// Whether it is a file to be opened, not "syslog" or /dev/stderr.
bool is_log_file(const std::string& path);
// The files among them, each once: the order in which ReopenLogs carries their descriptors.
std::vector<std::string> log_file_paths(const Settings& settings);

}  // namespace postern

#endif
