#include "net/resolver.h"

#include <event2/dns.h>
#include <event2/util.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "base/fd.h"

namespace postern {

struct Resolver::Base {
  explicit Base(evdns_base* b) : dns(b) {}
  ~Base() { evdns_base_free(dns, 0); }
  Base(const Base&) = delete;
  Base& operator=(const Base&) = delete;
  evdns_base* dns;
};

// Owned by the callback of evdns, which comes exactly once for each request, cancelled ones included.
struct Resolver::Query {
  Loop& loop;
  std::shared_ptr<Base> base;
  std::shared_ptr<bool> alive;
  Done done;
  evdns_getaddrinfo_request* request = nullptr;
  Timer timer;
  const char* stopped = nullptr;  // why we cancelled it

  void finish(int error, evutil_addrinfo* found);
  static void answered(int error, evutil_addrinfo* found, void* self) {
    static_cast<Query*>(self)->finish(error, found);
  }
  static void too_late(void* self) {
    auto* query = static_cast<Query*>(self);
    query->stopped = "timed out";
    evdns_getaddrinfo_cancel(query->request);
  }
};

namespace {

std::vector<IpAddress> addresses_of(const evutil_addrinfo* list) {
  std::vector<IpAddress> out;
  for (; list != nullptr; list = list->ai_next) {
    const IpAddress ip = Endpoint::from_sockaddr(list->ai_addr).ip;
    if (!ip.is_none() && std::find(out.begin(), out.end(), ip) == out.end()) out.push_back(ip);
  }
  return out;
}

Result<std::vector<IpAddress>> outcome_of(int error, const char* stopped, const evutil_addrinfo* found) {
  if (stopped != nullptr) return Error(stopped);
  if (error != 0) return Error(evutil_gai_strerror(error));
  std::vector<IpAddress> out = addresses_of(found);
  if (out.empty()) return Error("no addresses");
  return out;
}

// Connecting a datagram socket sends nothing and tells whether there is a route.
bool has_route_to_server(evdns_base* dns) {
  const int count = evdns_base_count_nameservers(dns);
  for (int i = 0; i < count; ++i) {
    sockaddr_storage address{};
    const int size = evdns_base_get_nameserver_addr(dns, i, reinterpret_cast<sockaddr*>(&address), sizeof address);
    const Fd fd(::socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (size > 0 && fd && ::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), static_cast<socklen_t>(size)) == 0)
      return true;
  }
  return false;
}

}  // namespace

void Resolver::Query::finish(int error, evutil_addrinfo* found) {
  timer.stop();
  auto outcome = outcome_of(error, stopped, found);
  if (found != nullptr) evutil_freeaddrinfo(found);
  // evdns may call from inside evdns_getaddrinfo() or its own callbacks: the caller hears at the end of the turn,
  // and the base that may die with this query goes there too.
  loop.defer([query = std::shared_ptr<Query>(this), outcome = std::move(outcome)] {
    if (*query->alive) query->done(outcome);
  });
}

Resolver::Resolver(Loop& loop, Files files)
    : loop_(loop), files_(std::move(files)), alive_(std::make_shared<bool>(true)) {
  refresh();
}

Resolver::~Resolver() { *alive_ = false; }

std::vector<struct timespec> Resolver::times_of(const Files& files) {
  std::vector<struct timespec> out;
  for (const std::string& path : {files.hosts, files.resolv_conf}) {
    struct stat there {};
    out.push_back(::stat(path.c_str(), &there) == 0 ? there.st_mtim : timespec{});
  }
  return out;
}

void Resolver::refresh() {
  auto times = times_of(files_);
  const auto same = [](const timespec& a, const timespec& b) { return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec; };
  if (base_ && std::equal(times.begin(), times.end(), read_at_.begin(), read_at_.end(), same)) return;
  read_at_ = std::move(times);
  base_ = std::make_shared<Base>(evdns_base_new(loop_.base(), EVDNS_BASE_DISABLE_WHEN_INACTIVE));
  evdns_base_load_hosts(base_->dns, files_.hosts.c_str());
  // A missing file or one without servers is no error: the hosts file may be all there is.
  evdns_base_resolv_conf_parse(base_->dns, DNS_OPTIONS_ALL & ~DNS_OPTION_HOSTSFILE, files_.resolv_conf.c_str());
}

void Resolver::resolve(const std::string& name, Milliseconds timeout, Done done) {
  refresh();
  evutil_addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  auto* query = new Query{loop_, base_, alive_, std::move(done), nullptr, {}, nullptr};
  query->timer.start(loop_, timeout, &Query::too_late, query);
  // Null when the answer came at once; then the query belongs to the deferred call already.
  if (auto* request = evdns_getaddrinfo(base_->dns, name.c_str(), nullptr, &hints, &Query::answered, query))
    query->request = request;
  else return;
  // evdns would wait for a server to come back until the time is over; without a route there is no point.
  if (has_route_to_server(base_->dns)) return;
  query->stopped = "no nameserver can be reached";
  evdns_getaddrinfo_cancel(query->request);
}

}  // namespace postern
