#include "log/output.h"

#include <errno.h>
#include <fmt/core.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

namespace postern {

namespace {

constexpr size_t kBatch = 64 * 1024;
constexpr size_t kMaxDatagram = 8 * 1024;

struct FacilityRow {
  std::string_view word;
  int facility;
};
constexpr FacilityRow kFacilities[] = {
    {"mail", LOG_MAIL},     {"daemon", LOG_DAEMON}, {"auth", LOG_AUTH},     {"authpriv", LOG_AUTHPRIV},
    {"user", LOG_USER},     {"local0", LOG_LOCAL0}, {"local1", LOG_LOCAL1}, {"local2", LOG_LOCAL2},
    {"local3", LOG_LOCAL3}, {"local4", LOG_LOCAL4}, {"local5", LOG_LOCAL5}, {"local6", LOG_LOCAL6},
    {"local7", LOG_LOCAL7},
};

}  // namespace

int syslog_facility_of(std::string_view word) {
  for (const FacilityRow& row : kFacilities)
    if (row.word == word) return row.facility;
  return LOG_MAIL;
}

void Output::add(std::string line) {
  const auto full = [&] { return waiting_bytes_ + line.size() > kMaxWaiting; };
  if (full()) pump();  // one turn of the loop may bring more than there is room for
  if (full()) {
    ++lost_;
    return;
  }
  waiting_bytes_ += line.size();
  lines_.push_back(std::move(line));
}

void Output::discard() {
  lines_.clear();
  waiting_bytes_ = written_of_first_ = 0;
}

std::string Output::next_text() const {
  std::string text(lines_.front(), written_of_first_);
  for (size_t i = 1; batches() && i < lines_.size() && text.size() < kBatch; ++i) text += lines_[i];
  return text;
}

void Output::take(size_t bytes) {
  waiting_bytes_ -= bytes;
  written_of_first_ += bytes;
  while (!lines_.empty() && written_of_first_ >= lines_.front().size()) {
    written_of_first_ -= lines_.front().size();
    lines_.pop_front();
  }
}

bool Output::pump() {
  while (!lines_.empty()) {
    const std::string text = next_text();
    const Progress progress = write_some(text);
    take(progress.bytes);
    if (progress.error != 0) failed(progress.error);
    if (progress.bytes == 0) return false;
  }
  if (failing_) {
    failing_ = false;
    complain_(fmt::format("{}: writing again", name_));
  }
  if (lost_ != lost_told_)
    complain_(fmt::format("{}: {} lines were lost", name_, lost_ - std::exchange(lost_told_, lost_)));
  return true;
}

void Output::failed(int error) {
  if (std::exchange(failing_, true)) return;
  complain_(fmt::format("{}: {}; lines are kept as far as there is room", name_, strerror(error)));
}

Output::Progress FileOutput::write_some(std::string_view text) {
  if (!fd_) return {0, EBADF};
  const ssize_t n = ::write(fd_.get(), text.data(), text.size());
  if (n >= 0) return {static_cast<size_t>(n), 0};
  return {0, errno == EINTR || errno == EAGAIN ? 0 : errno};
}

Output::Progress StderrOutput::write_some(std::string_view text) {
  constexpr size_t kSafe = 4096;  // PIPE_BUF: a pipe that is writable takes this much without waiting
  pollfd watched{2, POLLOUT, 0};
  if (::poll(&watched, 1, 0) <= 0) return {0, 0};
  const ssize_t n = ::write(2, text.data(), std::min(text.size(), kSafe));
  if (n >= 0) return {static_cast<size_t>(n), 0};
  return {0, errno == EINTR || errno == EAGAIN ? 0 : errno};
}

SyslogOutput::SyslogOutput(int facility, std::string ident, std::function<void(std::string_view)> complain,
                           std::string path)
    : Output("syslog", std::move(complain)), facility_(facility), ident_(std::move(ident)), path_(std::move(path)) {}

std::string SyslogOutput::frame(int priority, std::string_view text, uint64_t wall_milliseconds) const {
  const auto seconds = static_cast<time_t>(wall_milliseconds / 1000);
  tm local{};
  ::localtime_r(&seconds, &local);
  char stamp[32];
  const size_t length = ::strftime(stamp, sizeof stamp, "%b %e %H:%M:%S", &local);
  return fmt::format("<{}>{} {}: {}", facility_ | priority, std::string_view(stamp, length), ident_,
                     text.substr(0, kMaxDatagram));
}

bool SyslogOutput::connect() {
  if (socket_) return true;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.size() >= sizeof address.sun_path) return false;
  memcpy(address.sun_path, path_.data(), path_.size());
  Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return false;
  socket_ = std::move(socket);
  return true;
}

Output::Progress SyslogOutput::write_some(std::string_view text) {
  if (!connect()) return {0, errno};
  if (::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL) >= 0) return {text.size(), 0};
  if (errno == EAGAIN || errno == ENOBUFS || errno == EINTR) return {0, 0};
  if (errno == EMSGSIZE) return {text.size(), EMSGSIZE};  // never will go: said, and dropped
  const int error = errno;
  socket_.reset();  // syslogd was restarted: its new socket is for the next try
  return {0, error};
}

}  // namespace postern
