// TCP sockets as the login path needs them: few system calls, errors as errno values.
#ifndef POSTERN_NET_SOCKET_H
#define POSTERN_NET_SOCKET_H

#include <cstdint>
#include <optional>

#include "base/address.h"
#include "base/clock.h"
#include "base/fd.h"

namespace postern {

struct AcceptedSocket {
  Fd fd;
  Endpoint remote;  // none for unix sockets
};

// One connection of a non-blocking listener, non-blocking and close-on-exec; TCP_NODELAY is inherited from
// the listener. Nothing when there is none, or when it vanished before we came; `error` is then the errno.
std::optional<AcceptedSocket> accept_one(int listener, int& error);

// Address of our end, none when the socket has gone.
Endpoint local_endpoint(int fd);

// Begins a connection to `to`, from `source` unless it is none. The socket becomes writable, or
// readable once the peer speaks, when it is connected; errors that come later are read from it.
// IP_BIND_ADDRESS_NO_PORT leaves the choice of the port to connect (PROBES 4), inside `ports` unless that is 0
// (PortWindows::next). Returns an empty Fd with `error` set when it fails at once: EADDRNOTAVAIL = no port left there,
// or the source is not ours.
Fd connect_begin(const Endpoint& to, const IpAddress& source, uint32_t ports, int& error);

// Narrows the ports a connect chooses from to `ports` (high << 16 | low, inside the system's range). False: this kernel
// cannot.
bool set_port_window(int fd, uint32_t ports);

// The pending error of a socket (SO_ERROR), 0 for none.
int socket_error(int fd);

}  // namespace postern

#endif
