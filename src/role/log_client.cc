#include "role/log_client.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "role/log_framing.h"

namespace postern {

LogClient::LogClient(int fd, bool json) : fd_(fd), json_(json) {}

void LogClient::line(LogLevel level, std::string_view text) {
  begin_record();
  append_text_record(batch_.bytes, level, text);
  end_record(level);
}

void LogClient::event(const LogEvent& event) {
  begin_record();
  append_event_record(batch_.bytes, event, json_);
  end_record(event.level);
}

void LogClient::flush() {
  close_batch();
  send_waiting();
  wait_for_reader();
  if (waiting_.empty()) report_losses();
}

void LogClient::attach(Loop& loop) {
  flush();
  loop_ = &loop;
}

void LogClient::forked() {
  batch_ = {};
  waiting_.clear();
  waiting_bytes_ = 0;
  lost_ = lost_told_ = 0;
  patient_ = true;
  loop_ = nullptr;
}

void LogClient::begin_record() {
  if (!batch_.bytes.empty()) return;
  append_batch_head(batch_.bytes, static_cast<uint32_t>(::getpid()), SystemClock().wall_microseconds() / 1000);
}

void LogClient::end_record(LogLevel level) {
  ++batch_.lines;
  const bool at_once = loop_ == nullptr || level >= LogLevel::Warning || batch_.bytes.size() >= kMaxLogBatch;
  if (at_once) return flush();
  if (!timer_.running()) timer_.start(*loop_, kBatchDelay, &LogClient::on_timer, this);
}

void LogClient::close_batch() {
  if (batch_.bytes.empty()) return;
  Packet packet = std::exchange(batch_, {});
  if (waiting_bytes_ + packet.bytes.size() > kMaxWaiting) {
    lost_ += packet.lines;
    return;
  }
  waiting_bytes_ += packet.bytes.size();
  waiting_.push_back(std::move(packet));
}

// Without a loop the next line tries again.
void LogClient::send_waiting() {
  while (!waiting_.empty()) {
    const Packet& packet = waiting_.front();
    const ssize_t sent = ::send(fd_, packet.bytes.data(), packet.bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && (errno == EAGAIN || errno == ENOBUFS)) {
      if (loop_ != nullptr && !timer_.running()) timer_.start(*loop_, kBatchDelay, &LogClient::on_timer, this);
      return;
    }
    if (sent < 0) lost_ += packet.lines;  // nobody will ever read it: master and log are gone
    waiting_bytes_ -= packet.bytes.size();
    waiting_.pop_front();
    patient_ = true;
  }
}

void LogClient::wait_for_reader() {
  while (patient_ && waiting_bytes_ > kCalm) {
    pollfd watched{fd_, POLLOUT, 0};
    if (::poll(&watched, 1, kPatience) <= 0) patient_ = false;
    send_waiting();
  }
}

void LogClient::report_losses() {
  if (lost_ == lost_told_) return;
  const uint64_t news = lost_ - std::exchange(lost_told_, lost_);
  begin_record();
  append_text_record(batch_.bytes, LogLevel::Warning,
                     std::to_string(news) + " log lines were lost: the log process did not read them in time");
  batch_.lines = 0;  // losing this line is not another loss to tell of
  close_batch();
  send_waiting();
}

void LogClient::on_timer(void* self) { static_cast<LogClient*>(self)->flush(); }

}  // namespace postern
