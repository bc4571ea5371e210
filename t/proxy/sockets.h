// A loop, connected sockets and the like for tests of what talks to sockets.
#ifndef POSTERN_T_PROXY_SOCKETS_H
#define POSTERN_T_PROXY_SOCKETS_H

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <utility>

#include "base/address.h"
#include "base/fd.h"
#include "event/loop.h"

namespace postern::test {

// Runs `loop` until `done` holds, or fails the test after `limit`.
inline bool run_until(Loop& loop, const std::function<bool()>& done, Milliseconds limit = Milliseconds(10000)) {
  struct State {
    Loop& loop;
    const std::function<bool()>& done;
    bool expired = false;
  } state{loop, done};
  Timer deadline;
  deadline.start(
      loop, limit,
      [](void* s) {
        static_cast<State*>(s)->expired = true;
        static_cast<State*>(s)->loop.stop();
      },
      &state);
  struct Poll {
    Timer timer;
    State* state;
    static void look(void* p) {
      auto& self = *static_cast<Poll*>(p);
      if (self.state->done()) return self.state->loop.stop();
      self.timer.start(self.state->loop, Milliseconds(1), look, p);
    }
  } poll{{}, &state};
  Poll::look(&poll);
  if (!done()) loop.run();
  return !state.expired;
}

// A connected pair of TCP sockets on loopback; the first end is non-blocking.
inline std::pair<Fd, Fd> tcp_pair() {
  const Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(::listen(listener.get(), 1), 0);
  ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size);
  Fd far(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(::connect(far.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  Fd near(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  ::fcntl(far.get(), F_SETFL, O_NONBLOCK);
  return {std::move(near), std::move(far)};
}

// Appends what `fd` has now; false at its end.
inline bool drain_into(const Fd& fd, std::string& out, size_t most = SIZE_MAX) {
  char buffer[65536];
  while (out.size() < most) {
    const ssize_t n = ::read(fd.get(), buffer, std::min(sizeof buffer, most - out.size()));
    if (n == 0) return false;
    if (n < 0) return errno == EAGAIN;
    out.append(buffer, static_cast<size_t>(n));
  }
  return true;
}

inline std::string pattern(size_t size) {
  std::string s(size, '\0');
  for (size_t i = 0; i < size; ++i) s[i] = static_cast<char>(i * 7 + i / 251);
  return s;
}

}  // namespace postern::test

#endif
