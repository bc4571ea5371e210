// Which of several equal hosts is connected to next (AUTH-18). Pure.
#ifndef POSTERN_AUTH_DB_SQL_HOSTS_H
#define POSTERN_AUTH_DB_SQL_HOSTS_H

#include <optional>
#include <vector>

#include "base/clock.h"

namespace postern {

// A process has one connection, so processes that begin with different hosts share the work out. A host that failed
// waits 1 s, 5 s, then 15 s each time: nothing else is connected while hosts are looked for.
class SqlHosts {
 public:
  // `first`: any number; its remainder is the host to begin with.
  SqlHosts(size_t count, size_t first) : hosts_(count), next_(first % count) {}

  size_t count() const { return hosts_.size(); }
  // The next one in turn that does not wait: so one that has failed just now comes last. None: all wait.
  std::optional<size_t> take(Instant now);
  void failed(size_t host, Instant now);
  void connected(size_t host) { hosts_[host] = {}; }

 private:
  struct Host {
    Instant not_before{};
    std::chrono::seconds pause{1};
  };
  std::vector<Host> hosts_;
  size_t next_;
};

}  // namespace postern

#endif
