#include "log/router.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "base/clock.h"
#include "log/format.h"
#include "role/log_paths.h"

namespace postern {

namespace {

constexpr size_t kPacketRoom = 128 * 1024;
constexpr int kPacketsPerTurn = 32;  // then other services have their turn (MASTER-35)
constexpr Milliseconds kRetry{500};

std::string ident_of(const Settings& settings) {
  const std::string& ident = settings.text(Key::syslog_ident);
  return ident.empty() ? settings.text(Key::instance_name) : ident;
}

}  // namespace

LogRouter::LogRouter(Loop& loop, const Settings& settings, bool to_stderr)
    : loop_(loop),
      settings_(settings),
      json_(settings.text(Key::log_format) == "json"),
      emergency_(syslog_facility_of(settings.text(Key::syslog_facility)), ident_of(settings), [](std::string_view) {}),
      buffer_(new char[kPacketRoom]) {
  for (size_t level = 0; level < by_level_.size(); ++level)
    by_level_[level] = open(to_stderr ? "/dev/stderr" : log_path_of(settings, static_cast<LogLevel>(level)));
  loop_.at_turn_end([this] { pump(); });
}

LogRouter::~LogRouter() = default;

// About an output that fails: to stderr, which is there in the foreground, and to syslog, which may be.
void LogRouter::complain(std::string_view text) {
  const std::string line = "log: Error: " + std::string(text);
  [[maybe_unused]] const ssize_t n = ::write(2, (line + "\n").data(), line.size() + 1);
  emergency_.add(emergency_.frame(syslog_priority(LogLevel::Error), line, SystemClock().wall_microseconds() / 1000));
  if (!emergency_.pump()) emergency_.discard();
}

Output* LogRouter::open(const std::string& path) {
  if (const auto found = outputs_.find(path); found != outputs_.end()) return found->second.get();
  std::unique_ptr<Output> output;
  if (path == "syslog") {
    auto syslog = std::make_unique<SyslogOutput>(syslog_facility_of(settings_.text(Key::syslog_facility)),
                                                 ident_of(settings_), [](std::string_view) {});
    syslog_ = syslog.get();
    output = std::move(syslog);
  } else if (is_log_file(path)) {
    auto file = std::make_unique<FileOutput>(path, [this](std::string_view text) { complain(text); });
    files_[path] = file.get();
    output = std::move(file);
  } else {
    output = std::make_unique<StderrOutput>("stderr", [](std::string_view) {});
  }
  return (outputs_[path] = std::move(output)).get();
}

void LogRouter::open_files(std::span<Fd> files) {
  const auto paths = log_file_paths(settings_);
  for (size_t i = 0; i < paths.size() && i < files.size(); ++i)
    if (const auto found = files_.find(paths[i]); found != files_.end()) found->second->reopen(std::move(files[i]));
}

void LogRouter::add_input(const std::string& service, Fd socket) {
  inputs_.push_back(std::make_unique<Input>());
  Input& input = *inputs_.back();
  input.router = this;
  input.service = service;
  input.socket = std::move(socket);
  input.watch.start(
      loop_, input.socket.get(), EV_READ,
      [](evutil_socket_t, short, void* i) {
        static_cast<Input*>(i)->router->read_some(*static_cast<Input*>(i), kPacketsPerTurn);
      },
      &input);
}

// True when there may be more. May destroy the input, at the end of the turn.
bool LogRouter::read_some(Input& input, int packets) {
  for (int i = 0; i < packets; ++i) {
    const ssize_t n = ::recv(input.socket.get(), buffer_.get(), kPacketRoom, MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return false;
    if (n <= 0) {
      remove(input);
      return false;
    }
    take(input, {buffer_.get(), static_cast<size_t>(n)});
  }
  return true;
}

void LogRouter::remove(Input& input) {
  input.watch.stop();
  loop_.defer([this, gone = &input] {
    std::erase_if(inputs_, [gone](const auto& i) { return i.get() == gone; });
    if (inputs_.empty() && no_inputs_) no_inputs_();
  });
}

void LogRouter::take(const Input& input, std::string_view packet) {
  auto batch = parse_log_batch(packet);
  if (!batch) {
    complain("service " + input.service + " sent lines that break the framing");
    return;
  }
  if (batch->pid == 0) batch->wall_milliseconds = SystemClock().wall_microseconds() / 1000;
  write(input.service, *batch);
}

void LogRouter::write(const std::string& service, const LogBatch& batch) {
  std::string clean;
  for (const LogRecord& record : batch.records) {
    LogLine line{service, batch.pid, batch.wall_milliseconds, record};
    if (batch.pid == 0) {  // not ours: may hold anything
      clean.clear();
      append_text_record(clean, record.level, record.content);
      line.record.content = std::string_view(clean).substr(2, clean.size() - 3);
    }
    Output* output = by_level_[static_cast<size_t>(record.level)];
    if (output == syslog_)
      output->add(syslog_->frame(syslog_priority(record.level), json_ ? format_as_json(line) : format_for_syslog(line),
                                 line.wall_milliseconds));
    else output->add(json_ ? format_as_json(line) + "\n" : format_for_file(line, settings_.text(Key::log_timestamp)));
  }
}

void LogRouter::pump() {
  bool waiting = false;
  for (auto& [path, output] : outputs_) waiting = !output->pump() || waiting;
  if (!waiting) return retry_.stop();
  if (!retry_.running())
    retry_.start(
        loop_, kRetry, [](void*) {}, nullptr);  // the end of its turn pumps
}

void LogRouter::finish() {
  for (const auto& input : inputs_)
    while (input->socket && input->watch.what() != 0 && read_some(*input, kPacketsPerTurn)) {}
  pump();
}

}  // namespace postern
