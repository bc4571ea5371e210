#include "auth/deadline.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>

namespace postern {

namespace {

volatile sig_atomic_t watched = -1, rang = 0;
struct sigaction former;

void ring(int) {
  const int kept = errno;
  rang = 1;
  if (watched >= 0) ::shutdown(watched, SHUT_RDWR);
  errno = kept;
}

void set_timer(time_t seconds) {
  const struct itimerval when {
    {0, 0}, { seconds, 0 }
  };
  ::setitimer(ITIMER_REAL, &when, nullptr);
}

}  // namespace

Deadline::Deadline(int socket, std::chrono::seconds limit) {
  rang = 0;
  watched = socket;
  if (socket < 0) return;
  struct sigaction action {};
  action.sa_handler = ring;
  ::sigaction(SIGALRM, &action, &former);
  set_timer(limit.count());
}

Deadline::~Deadline() {
  if (watched < 0) return;
  set_timer(0);
  watched = -1;
  ::sigaction(SIGALRM, &former, nullptr);
}

bool Deadline::passed() const { return rang != 0; }

}  // namespace postern
