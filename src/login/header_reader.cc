#include "login/header_reader.h"

#include <errno.h>
#include <sys/socket.h>

#include <array>

namespace postern {

// First a look, then the bytes that belong to the header are taken: what is left there announces itself again.
HeaderReader::State HeaderReader::read(int fd) {
  std::array<char, kMaxProxyHeader> buffer;
  const size_t room = buffer.size() - taken_.size();
  const ssize_t seen = ::recv(fd, buffer.data(), room, MSG_PEEK | MSG_DONTWAIT);
  if (seen < 0 && (errno == EAGAIN || errno == EINTR)) return State::Waiting;
  if (seen <= 0) return State::Closed;
  const size_t before = taken_.size();
  taken_.append(buffer.data(), static_cast<size_t>(seen));
  ProxyHeaderResult result = parse_proxy_header(taken_);
  if (result.state == ProxyHeaderResult::State::Broken) {
    why_ = result.why;
    return State::Broken;
  }
  const bool complete = result.state == ProxyHeaderResult::State::Complete;
  const size_t ours = complete ? result.size - before : static_cast<size_t>(seen);
  if (::recv(fd, buffer.data(), ours, MSG_DONTWAIT) != static_cast<ssize_t>(ours)) return State::Closed;
  if (!complete) return State::Waiting;
  header_ = std::move(result.header);
  return State::Complete;
}

}  // namespace postern
