#include "master/listeners.h"

#include <errno.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include <algorithm>
#include <climits>
#include <thread>

#include "base/clock.h"

namespace postern {

namespace {

using Addresses = std::vector<IpAddress>;

Result<Addresses> resolve(const std::string& name) {
  if (name == "*") return Addresses{*IpAddress::parse("0.0.0.0")};
  if (const auto ip = IpAddress::parse(name)) return Addresses{*ip};
  addrinfo hints{}, *list = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  if (const int failed = ::getaddrinfo(name.c_str(), nullptr, &hints, &list)) return Error(fmt::format("{}: {}", name, ::gai_strerror(failed)));
  Addresses found;
  for (const addrinfo* a = list; a != nullptr; a = a->ai_next) {
    const Endpoint endpoint = Endpoint::from_sockaddr(a->ai_addr);
    if (!endpoint.ip.is_none() && std::find(found.begin(), found.end(), endpoint.ip) == found.end()) found.push_back(endpoint.ip);
  }
  ::freeaddrinfo(list);
  return found;
}

// MASTER-7; the kernel clamps it to net.core.somaxconn.
int backlog_of(const ServiceSettings& service) {
  constexpr int64_t most = INT_MAX;
  const int64_t clients = std::max<int64_t>(service.client_limit, 1);
  if (service.process_limit > most / clients) return INT_MAX;
  return static_cast<int>(std::max<int64_t>(4, service.process_limit * clients));
}

Status plan_one(const ServiceSettings& service, const InetListener& listener, const std::vector<std::string>& names, std::vector<ListenerPlan>& plans) {
  for (const std::string& name : names) {
    const auto addresses = resolve(name);
    if (!addresses) return Error(fmt::format("service {}: inet_listener {}: address {}", service.name, listener.name, addresses.error()));
    for (const IpAddress& ip : *addresses) {
      ListenerPlan plan{service.name, listener.name, {ip, listener.port}, listener.ssl, listener.haproxy, listener.reuse_port, name == "::", backlog_of(service)};
      const auto twice = std::find_if(plans.begin(), plans.end(), [&](const ListenerPlan& p) { return p.local == plan.local; });
      if (twice != plans.end())
        return Error(fmt::format("service {}: inet_listener {}: {} is taken by {} of service {}", service.name, listener.name, plan.local.text(), twice->name, twice->service));
      plans.push_back(std::move(plan));
    }
  }
  return {};
}

bool set_option(int fd, int level, int option) {
  const int on = 1;
  return ::setsockopt(fd, level, option, &on, sizeof on) == 0;
}

Error cannot_listen(const ListenerPlan& plan, const char* what) {
  const int error = errno;
  const char* remedy = error == EACCES && plan.local.port < 1024 ? " (ports below 1024 need root or CAP_NET_BIND_SERVICE)" : "";
  return Error(fmt::format("service {}: {}({}): {}{}", plan.service, what, plan.local.text(), strerror(error), remedy));
}

bool no_ipv6(const ListenerPlan& plan) { return plan.optional && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL); }

// The children of a master that was killed let go of its ports a moment later.
bool bind_before(int fd, const Endpoint& local, Instant deadline) {
  sockaddr_storage address;
  const unsigned length = local.to_sockaddr(address);
  while (::bind(fd, reinterpret_cast<sockaddr*>(&address), length) != 0) {
    if (errno != EADDRINUSE || std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(Milliseconds(20));
  }
  return true;
}

// An empty pointer: left out, the machine has no IPv6.
Result<std::shared_ptr<ListenerSocket>> open_one(const ListenerPlan& plan, Instant deadline) {
  const bool v6 = plan.local.ip.family() == IpAddress::Family::V6;
  auto socket = std::make_shared<ListenerSocket>();
  socket->reuse_port = plan.reuse_port;
  socket->fd = Fd(::socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int fd = socket->fd.get();
  if (fd < 0 && no_ipv6(plan)) return std::shared_ptr<ListenerSocket>();
  if (fd < 0) return cannot_listen(plan, "socket");
  set_option(fd, SOL_SOCKET, SO_REUSEADDR);
  set_option(fd, IPPROTO_TCP, TCP_NODELAY);
  if (v6) set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY);
  if (plan.reuse_port) set_option(fd, SOL_SOCKET, SO_REUSEPORT);
  if (!bind_before(fd, plan.local, deadline)) {
    if (no_ipv6(plan)) return std::shared_ptr<ListenerSocket>();
    return cannot_listen(plan, "bind");
  }
  if (::listen(fd, plan.backlog) != 0) return cannot_listen(plan, "listen");
  return socket;
}

}  // namespace

Result<std::vector<ListenerPlan>> plan_listeners(const Configuration& configuration) {
  std::vector<ListenerPlan> plans;
  const bool tls = configuration.settings.text(Key::ssl) != "no";
  for (const ServiceSettings& service : configuration.services) {
    if (!service.enabled) continue;
    for (const InetListener& listener : service.inet_listeners) {
      if (listener.port == 0 || (listener.ssl && !tls)) continue;
      const auto& names = listener.address.empty() ? configuration.settings.list(Key::listen) : listener.address;
      if (const Status status = plan_one(service, listener, names, plans); !status) return Error(status.error());
    }
  }
  return plans;
}

Result<ListenerSockets> open_listeners(const std::vector<ListenerPlan>& plans, const ListenerSockets& current, Milliseconds patience) {
  const Instant deadline = std::chrono::steady_clock::now() + patience;
  ListenerSockets sockets;
  for (const ListenerPlan& plan : plans) {
    if (const auto found = current.find(plan.local); found != current.end() && found->second->reuse_port == plan.reuse_port) {
      ::listen(found->second->fd.get(), plan.backlog);  // the backlog may have changed
      sockets.insert(*found);
      continue;
    }
    auto opened = open_one(plan, deadline);
    if (!opened) return Error(opened.error());
    if (*opened != nullptr) sockets.emplace(plan.local, std::move(*opened));
  }
  return sockets;
}

}  // namespace postern
