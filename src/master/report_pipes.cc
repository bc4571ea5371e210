#include "master/report_pipes.h"

#include <fcntl.h>
#include <sys/socket.h>

namespace postern {

ReportPipes::Pipe* ReportPipes::get(const std::string& service) {
  if (const auto found = pipes_.find(service); found != pipes_.end()) return &found->second;
  auto pair = make_channel_pair();
  if (!pair) return nullptr;
  const int on = 1;
  // The kernel says who sent a report.
  ::setsockopt(pair->second.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
  Fd copy(::fcntl(pair->first.get(), F_DUPFD_CLOEXEC, 3));
  if (!copy) return nullptr;
  auto channel = std::make_unique<Channel>(loop_, std::move(copy), Role::Master, Role::State, Channel::Events{});
  return &pipes_.emplace(service, Pipe{std::move(pair->first), std::move(pair->second), std::move(channel)})
              .first->second;
}

}  // namespace postern
