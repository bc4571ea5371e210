#include "net/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif
#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51
#endif

namespace postern {

std::optional<AcceptedSocket> accept_one(int listener, int& error) {
  sockaddr_storage address;
  socklen_t size = sizeof address;
  const int fd = ::accept4(listener, reinterpret_cast<sockaddr*>(&address), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) {
    error = errno;
    return std::nullopt;
  }
  return AcceptedSocket{Fd(fd), Endpoint::from_sockaddr(reinterpret_cast<sockaddr*>(&address))};
}

Endpoint local_endpoint(int fd) {
  sockaddr_storage address;
  socklen_t size = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
  return Endpoint::from_sockaddr(reinterpret_cast<sockaddr*>(&address));
}

namespace {

bool bind_source(int fd, const IpAddress& source) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  sockaddr_storage address;
  const unsigned size = Endpoint{source, 0}.to_sockaddr(address);
  return ::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0;
}

}  // namespace

bool set_port_window(int fd, uint32_t ports) {
  return ::setsockopt(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, &ports, sizeof ports) == 0;
}

Fd connect_begin(const Endpoint& to, const IpAddress& source, uint32_t ports, int& error) {
  sockaddr_storage address;
  const unsigned size = to.to_sockaddr(address);
  Fd fd(::socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) {
    error = errno;
    return {};
  }
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (ports != 0) set_port_window(fd.get(), ports);
  if ((!source.is_none() && !bind_source(fd.get(), source)) ||
      (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 && errno != EINPROGRESS)) {
    error = errno;
    return {};
  }
  error = 0;
  return fd;
}

int socket_error(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

}  // namespace postern
