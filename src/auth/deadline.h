// A limit on the time that a library spends waiting for a socket inside one call.
#ifndef POSTERN_AUTH_DEADLINE_H
#define POSTERN_AUTH_DEADLINE_H

#include <chrono>

namespace postern {

// Shuts the socket down, by SIGALRM, when it is not destroyed in time: whoever waits for it sees the end of the
// connection. One at a time in a process, which must not use SIGALRM meanwhile. `socket` stays its owner's; -1: no
// limit.
class Deadline {
 public:
  Deadline(int socket, std::chrono::seconds limit);
  ~Deadline();
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  bool passed() const;
};

}  // namespace postern

#endif
