#include "master/listeners.h"

#include <errno.h>
#include <fmt/core.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <optional>
#include <thread>

#include "base/clock.h"
#include "base/log.h"
#include "conf/scan.h"
#include "role/jail.h"

namespace postern {

namespace {

using Addresses = std::vector<IpAddress>;

Result<Addresses> resolve(const std::string& name) {
  if (name == "*") return Addresses{*IpAddress::parse("0.0.0.0")};
  if (const auto ip = IpAddress::parse(name)) return Addresses{*ip};
  addrinfo hints{}, *list = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  if (const int failed = ::getaddrinfo(name.c_str(), nullptr, &hints, &list))
    return Error(fmt::format("{}: {}", name, ::gai_strerror(failed)));
  Addresses found;
  for (const addrinfo* a = list; a != nullptr; a = a->ai_next) {
    const Endpoint endpoint = Endpoint::from_sockaddr(a->ai_addr);
    if (!endpoint.ip.is_none() && std::find(found.begin(), found.end(), endpoint.ip) == found.end())
      found.push_back(endpoint.ip);
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

Status add_plan(ListenerPlan plan, std::vector<ListenerPlan>& plans) {
  const auto twice =
      std::find_if(plans.begin(), plans.end(), [&](const ListenerPlan& p) { return p.local == plan.local; });
  if (twice != plans.end())
    return Error(fmt::format("{}: {} is taken by {} of service {}", plan.label(), plan.local.text(), twice->name,
                             twice->service));
  plans.push_back(std::move(plan));
  return {};
}

Status plan_one(const ServiceSettings& service, const InetListener& listener, const std::vector<std::string>& names,
                std::vector<ListenerPlan>& plans) {
  for (const std::string& name : names) {
    const auto addresses = resolve(name);
    if (!addresses)
      return Error(
          fmt::format("service {}: inet_listener {}: address {}", service.name, listener.name, addresses.error()));
    for (const IpAddress& ip : *addresses) {
      ListenerPlan plan{service.name,        listener.name, {{ip, listener.port}, ""}, listener.ssl, listener.haproxy,
                        listener.reuse_port, name == "::",  backlog_of(service)};
      if (const Status added = add_plan(std::move(plan), plans); !added) return added;
    }
  }
  return {};
}

// Whom the file is to belong to: us, where nothing else is said.
Result<SocketAccess> wanted_access(const UnixListener& listener) {
  SocketAccess access{::geteuid(), ::getegid(), static_cast<mode_t>(listener.mode)};
  if (!listener.user.empty()) {
    const auto identity = find_identity(listener.user, "");
    if (!identity) return Error(fmt::format("user = {}: {}", listener.user, identity.error()));
    access.uid = identity->uid;
  }
  if (listener.group.empty()) return access;
  const auto gid = find_group(listener.group);
  if (!gid) return Error(fmt::format("group = {}: {}", listener.group, gid.error()));
  access.gid = *gid;
  return access;
}

bool is_our_group(gid_t gid) {
  std::vector<gid_t> groups(static_cast<size_t>(std::max(0, ::getgroups(0, nullptr))));
  groups.resize(static_cast<size_t>(std::max(0, ::getgroups(static_cast<int>(groups.size()), groups.data()))));
  return gid == ::getegid() || std::find(groups.begin(), groups.end(), gid) != groups.end();
}

// Without root a file stays ours; its group may be another of ours.
SocketAccess possible_access(SocketAccess access, const Environment& environment) {
  if (environment.privileged) return access;
  access.uid = ::geteuid();
  if (!is_our_group(access.gid)) access.gid = ::getegid();
  return access;
}

Status plan_path(const ServiceSettings& service, const UnixListener& listener, const Environment& environment,
                 std::vector<ListenerPlan>& plans) {
  ListenerPlan plan;
  plan.service = service.name;
  plan.name = listener.path;
  plan.local.path = listener.path.starts_with('/') ? listener.path : environment.base_dir + "/" + listener.path;
  plan.backlog = backlog_of(service);
  plan.where = listener.where;
  if (plan.local.path.size() > SocketFile::kMaxPath)
    return Error(fmt::format("{}: {} has {} bytes, more than the path of a socket may have ({})", plan.label(),
                             plan.local.path, plan.local.path.size(), SocketFile::kMaxPath));
  const auto access = wanted_access(listener);
  if (!access) return Error(fmt::format("{}: {}", plan.label(), access.error()));
  plan.wanted = *access;
  plan.access = possible_access(*access, environment);
  return add_plan(std::move(plan), plans);
}

bool set_option(int fd, int level, int option) {
  const int on = 1;
  return ::setsockopt(fd, level, option, &on, sizeof on) == 0;
}

Error cannot_listen(const ListenerPlan& plan, const char* what) {
  const int error = errno;
  const char* remedy =
      error == EACCES && plan.local.endpoint.port < 1024 ? " (ports below 1024 need root or CAP_NET_BIND_SERVICE)" : "";
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
Result<std::shared_ptr<ListenerSocket>> open_address(const ListenerPlan& plan, Instant deadline) {
  const bool v6 = plan.local.endpoint.ip.family() == IpAddress::Family::V6;
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
  if (!bind_before(fd, plan.local.endpoint, deadline)) {
    if (no_ipv6(plan)) return std::shared_ptr<ListenerSocket>();
    return cannot_listen(plan, "bind");
  }
  if (::listen(fd, plan.backlog) != 0) return cannot_listen(plan, "listen");
  return socket;
}

// Nobody can connect before listen(): by then the file is whose it shall be.
Result<std::shared_ptr<ListenerSocket>> open_path(const ListenerPlan& plan, Instant deadline) {
  const std::string& path = plan.local.path;
  const auto placed = [&](const std::string& why) { return Error(fmt::format("{}: {}", plan.label(), why)); };
  if (const Status free = make_room(path, deadline); !free) return placed(free.error());
  auto socket = std::make_shared<ListenerSocket>();
  socket->fd = Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket->fd) return cannot_listen(plan, "socket");
  if (const Status bound = socket->file.bind(socket->fd.get(), path, plan.access); !bound) return placed(bound.error());
  if (::listen(socket->fd.get(), plan.backlog) != 0) return cannot_listen(plan, "listen");
  return socket;
}

Result<std::shared_ptr<ListenerSocket>> open_one(const ListenerPlan& plan, Instant deadline) {
  return plan.local.is_path() ? open_path(plan, deadline) : open_address(plan, deadline);
}

// A file that somebody else has removed is made again.
bool serves(const ListenerSocket& socket, const ListenerPlan& plan) {
  return socket.reuse_port == plan.reuse_port && (!plan.local.is_path() || socket.file.stands());
}

// What stands in the way of a socket, or nothing. base_dir itself is made at the start.
std::optional<std::string> hindrance(const std::string& path, const Environment& environment) {
  const std::string folder = folder_of(path);
  struct stat st;
  if (folder != environment.base_dir && ::stat(folder.c_str(), &st) != 0)
    return fmt::format("folder {}: {}", folder, strerror(errno));
  if (folder != environment.base_dir && !S_ISDIR(st.st_mode)) return fmt::format("{} is not a folder", folder);
  const auto obstacle = obstacle_at(path);
  return obstacle ? std::optional(fmt::format("{}: {}", path, *obstacle)) : std::nullopt;
}

}  // namespace

std::string ListenerPlan::label() const {
  return fmt::format("{}{}service {}: {} {}", where, where.empty() ? "" : ": ", service,
                     local.is_path() ? "unix_listener" : "inet_listener", name);
}

Result<std::vector<ListenerPlan>> plan_listeners(const Configuration& configuration, const Environment& environment) {
  std::vector<ListenerPlan> plans;
  const bool tls = configuration.settings.text(Key::ssl) != "no";
  for (const ServiceSettings& service : configuration.services) {
    if (!service.enabled) continue;
    for (const InetListener& listener : service.inet_listeners) {
      if (listener.port == 0 || (listener.ssl && !tls)) continue;
      const auto& names = listener.address.empty() ? configuration.settings.list(Key::listen) : listener.address;
      if (const Status status = plan_one(service, listener, names, plans); !status) return Error(status.error());
    }
    if (role_of(service) != Role::Login) continue;
    for (const UnixListener& listener : service.unix_listeners)
      if (listener.mode != 0)
        if (const Status status = plan_path(service, listener, environment, plans); !status)
          return Error(status.error());
  }
  return plans;
}

void check_listener(const ListenerPlan& plan, const Environment& environment, Findings& findings) {
  if (!plan.local.is_path()) return;
  if (const auto what = hindrance(plan.local.path, environment))
    findings.errors.push_back(fmt::format("{}: {}", plan.label(), *what));
  if (plan.access != plan.wanted)
    findings.warnings.push_back(fmt::format("{}: user and group cannot be set without root", plan.label()));
}

Result<ListenerSockets> open_listeners(const std::vector<ListenerPlan>& plans, const ListenerSockets& current,
                                       Milliseconds patience) {
  const Instant deadline = std::chrono::steady_clock::now() + patience;
  ListenerSockets sockets;
  for (const ListenerPlan& plan : plans) {
    if (const auto found = current.find(plan.local); found != current.end() && serves(*found->second, plan)) {
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

void refresh_access(const std::vector<ListenerPlan>& plans, const ListenerSockets& sockets) {
  for (const ListenerPlan& plan : plans) {
    const auto found = sockets.find(plan.local);
    if (!plan.local.is_path() || found == sockets.end()) continue;
    if (const Status set = found->second->file.set_access(plan.access); !set)
      log_error(fmt::format("{}: {}", plan.label(), set.error()));
  }
}

}  // namespace postern
