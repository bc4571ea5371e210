// Names to addresses, without blocking: libevent's evdns with /etc/hosts and resolv.conf (AUC-20).
#ifndef POSTERN_NET_RESOLVER_H
#define POSTERN_NET_RESOLVER_H

#include <sys/stat.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "event/loop.h"

struct evdns_base;

namespace postern {

class Resolver {
 public:
  // All addresses in the order given, or why there are none. Never called before resolve() returned.
  using Done = std::function<void(Result<std::vector<IpAddress>>)>;

  struct Files {
    std::string hosts = "/etc/hosts", resolv_conf = "/etc/resolv.conf";
  };
  explicit Resolver(Loop& loop) : Resolver(loop, Files()) {}
  Resolver(Loop& loop, Files files);
  // Queries under way end without an answer.
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // `name` should be no address. Files that changed are read again first; names of the hosts file need no server.
  void resolve(const std::string& name, Milliseconds timeout, Done done);

 private:
  struct Base;
  struct Query;
  void refresh();
  static std::vector<struct timespec> times_of(const Files& files);

  Loop& loop_;
  Files files_;
  std::vector<struct timespec> read_at_;
  std::shared_ptr<Base> base_;  // queries keep the one they were asked of
  std::shared_ptr<bool> alive_;
};

}  // namespace postern

#endif
