// From the services' sockets to the outputs that the settings name.
#ifndef POSTERN_LOG_ROUTER_H
#define POSTERN_LOG_ROUTER_H

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "conf/settings.h"
#include "event/loop.h"
#include "log/output.h"
#include "role/log_framing.h"

namespace postern {

class LogRouter {
 public:
  // `to_stderr`: everything goes there whatever the settings say (postern -L).
  LogRouter(Loop& loop, const Settings& settings, bool to_stderr);
  ~LogRouter();

  // Reads the lines of `service` from now on.
  void add_input(const std::string& service, Fd socket);
  // New descriptors of the log files, in the order of log_file_paths().
  void open_files(std::span<Fd> files);
  // Reads and writes whatever is there, for the last time.
  void finish();
  // Called when the last input has ended (only once nobody can write any more).
  void on_no_inputs(std::function<void()> work) { no_inputs_ = std::move(work); }
  bool has_inputs() const { return !inputs_.empty(); }

 private:
  struct Input {
    LogRouter* router = nullptr;
    std::string service;
    Fd socket;
    Watch watch;
  };
  bool read_some(Input& input, int packets);
  void take(const Input& input, std::string_view packet);
  void write(const std::string& service, const LogBatch& batch);
  void pump();
  void complain(std::string_view text);
  Output* open(const std::string& path);
  void remove(Input& input);

  Loop& loop_;
  const Settings& settings_;
  bool json_;
  std::vector<std::unique_ptr<Input>> inputs_;
  std::map<std::string, std::unique_ptr<Output>> outputs_;  // by path
  std::array<Output*, static_cast<size_t>(LogLevel::kCount)> by_level_{};
  std::map<std::string, FileOutput*> files_;
  SyslogOutput* syslog_ = nullptr;
  SyslogOutput emergency_;  // for what is wrong with the others
  std::unique_ptr<char[]> buffer_;
  Timer retry_;
  std::function<void()> no_inputs_;
};

}  // namespace postern

#endif
