#include "conf/checks.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/address.h"
#include "base/text.h"
#include "conf/row.h"
#include "conf/services.h"
#include "conf/values.h"

namespace postern {
namespace {

class Checker {
 public:
  Checker(const Configuration& configuration, const Node& root, Problems& problems)
      : c_(configuration), root_(root), problems_(problems) {}

  void run() {
    for (const ServiceSettings& service : c_.services) limits(service);
    listeners();
    auth_clients();
    protocols();
    cache();
    translation();
    for (const auto& [cert, key] : kPairs) pair(c_.settings, root_.where, cert, key);
    override_pairs();
    client_certificates();
    haproxy();
    later();
    if (c_.passdbs.empty()) warn({"passdb"}, "there is none: nobody can log in");
  }

 private:
  using Path = std::vector<std::string_view>;

  static constexpr std::pair<Key, Key> kPairs[] = {{Key::ssl_cert, Key::ssl_key},
                                                   {Key::ssl_alt_cert, Key::ssl_alt_key},
                                                   {Key::ssl_client_cert, Key::ssl_client_key}};

  // The node at `path`, or what of it there is; `complete` tells which.
  const Node& nearest_node(const Path& path, bool& complete) const {
    const Node* at = &root_;
    complete = true;
    for (std::string_view name : path) {
      const Node* next = at->child(name);
      if (!next) {
        complete = false;
        return *at;
      }
      at = next;
    }
    return *at;
  }

  std::string placed(const Path& path, const std::string& what) const {
    bool complete = false;
    const Node& node = nearest_node(path, complete);
    const std::string name = fmt::format("{}", fmt::join(path, "."));
    if (complete && !node.is_group() && !node.is_sequence())
      return fmt::format("{}: {} = {}: {}", node.where, name, node.shown(), what);
    return fmt::format("{}: {}: {}", node.where, name, what);
  }

  void fail(const Path& path, const std::string& what) { problems_.plain_error(placed(path, what)); }
  void warn(const Path& path, const std::string& what) { problems_.plain_warning(placed(path, what)); }

  void limits(const ServiceSettings& s) {
    if (s.process_min_avail > s.process_limit)
      fail({"service", s.name, "process_min_avail"},
           fmt::format("{} is more than process_limit; accepted: up to {}", s.process_min_avail, s.process_limit));
    if (find_service(s.name)->fixed_one && s.process_limit > 1)
      fail({"service", s.name, "process_limit"}, "there is one process of this service; accepted: 1");
  }

  // MASTER-3: one socket for each address and port, and for each path.
  void listeners() {
    std::map<std::string, std::string> taken;
    for (const ServiceSettings& s : c_.services) {
      if (!s.enabled) continue;
      for (const InetListener& l : s.inet_listeners)
        if (l.port != 0) inet(s, l, taken);
      for (const UnixListener& l : s.unix_listeners)
        if (l.mode != 0) take({"service", s.name, "unix_listener"}, socket_path(l.path), s.name, taken);
    }
  }

  void inet(const ServiceSettings& s, const InetListener& l, std::map<std::string, std::string>& taken) {
    for (const std::string& address : l.address.empty() ? c_.settings.list(Key::listen) : l.address) {
      const auto ip = IpAddress::parse(address);
      const std::string canonical = ip ? ip->text() : address == "*" ? "0.0.0.0" : to_lower(address);
      take({"service", s.name, "inet_listener", l.name}, fmt::format("{} port {}", canonical, l.port),
           s.name + "." + l.name, taken);
    }
  }

  std::string socket_path(const std::string& path) const {
    return path.starts_with('/') ? path : c_.settings.text(Key::base_dir) + "/" + path;
  }

  void take(const Path& path, const std::string& what, const std::string& owner,
            std::map<std::string, std::string>& taken) {
    const auto [at, fresh] = taken.emplace(what, owner);
    if (!fresh) fail(path, fmt::format("{} is already a listener of {}", what, at->second));
  }

  // MASTER-3 a. Each process that talks to clients holds one connection to auth.
  void auth_clients() {
    int64_t need = 0;
    for (const ServiceSettings& s : c_.services)
      if (s.enabled && serves_clients(find_service(s.name)->kind)) need += s.process_limit;
    const ServiceSettings* auth = c_.service("auth");
    if (auth && auth->client_limit < need)
      warn({"service", "auth", "client_limit"},
           fmt::format("{} is less than the {} login processes that there may be", auth->client_limit, need));
  }

  void protocols() {
    for (const std::string& word : c_.settings.list(Key::protocols))
      if (!protocol_runs(word)) warn({"protocols"}, fmt::format("protocol {} is not supported yet", word));
  }

  // AUTH-34: 1.x counted KiB, 1.0 MB.
  void cache() {
    const int64_t size = c_.settings.number(Key::auth_cache_size);
    if (size > 0 && size < kKiB)
      fail({"auth_cache_size"}, "is too small; accepted: 0, or at least 1 K (the unit is bytes)");
    else if (size > 0 && size < 64 * kKiB)
      warn({"auth_cache_size"}, fmt::format("{} bytes is very small; did you mean \"{} K\"?", size, size));
    const ServiceSettings* auth = c_.service("auth");
    if (size > 0 && auth && auth->vsz_limit > 0 && auth->vsz_limit < 2 * size)
      warn({"service", "auth", "vsz_limit"},
           fmt::format("{} bytes leave no room for auth_cache_size", auth->vsz_limit));
  }

  void translation() {
    if (c_.settings.text(Key::auth_username_translation).size() % 2 != 0)
      fail({"auth_username_translation"}, "has an odd number of characters; accepted: pairs");
  }

  void pair(const Settings& settings, const std::string& where, Key cert, Key key) {
    const bool has_cert = !settings.text(cert).empty(), has_key = !settings.text(key).empty();
    if (has_cert == has_key) return;
    const Key there = has_cert ? cert : key, missing = has_cert ? key : cert;
    bool complete = false;
    const Node& node = nearest_node({row_of(there).name}, complete);
    problems_.plain_error(fmt::format("{}: {}: is of no use without {}", complete ? node.where : where,
                                      row_of(there).name, row_of(missing).name));
  }

  // A block that changes one of a pair and not the other would pair a certificate with a foreign key.
  void override_pairs() {
    for (const SettingsOverride& o : c_.overrides)
      for (const auto& [cert, key] : kPairs)
        if (has(o, cert) != has(o, key))
          fail({o.nesting.front()}, fmt::format("a block sets {} without {}", row_of(has(o, cert) ? cert : key).name,
                                                row_of(has(o, cert) ? key : cert).name));
  }

  bool set_somewhere(Key key) const {
    return !c_.settings.text(key).empty() || std::any_of(c_.overrides.begin(), c_.overrides.end(),
                                                         [key](const SettingsOverride& o) { return has(o, key); });
  }

  // Without authorities no certificate is valid, and unless clients are asked they show none.
  void client_certificates() {
    bool asked = std::any_of(c_.overrides.begin(), c_.overrides.end(),
                             [](const SettingsOverride& o) { return has(o, Key::ssl_verify_client_cert); });
    for (const Key key :
         {Key::ssl_verify_client_cert, Key::auth_ssl_require_client_cert, Key::auth_ssl_username_from_cert}) {
      if (!c_.settings.flag(key)) continue;
      asked = true;
      if (!set_somewhere(Key::ssl_ca))
        fail({row_of(key).name}, "needs ssl_ca: the authorities that clients' certificates are of");
    }
    const auto& mechanisms = c_.settings.list(Key::auth_mechanisms);
    if (!asked && std::find(mechanisms.begin(), mechanisms.end(), "external") != mechanisms.end())
      warn({"auth_mechanisms"},
           "offers external to nobody: clients are not asked for a certificate (ssl_verify_client_cert)");
  }

  static bool has(const SettingsOverride& o, Key key) {
    return std::any_of(o.values.begin(), o.values.end(),
                       [key](const auto& v) { return v.first == static_cast<uint16_t>(key); });
  }

  bool trusts_some_proxy() const {
    return !c_.settings.list(Key::haproxy_trusted_networks).empty() ||
           std::any_of(c_.overrides.begin(), c_.overrides.end(),
                       [](const SettingsOverride& o) { return has(o, Key::haproxy_trusted_networks); });
  }

  void later() {
    for (const Row& row : setting_rows())
      if ((row.flags & kLater) && c_.settings.value(find_setting(row.name)) != Settings().value(find_setting(row.name)))
        warn({row.name}, "has no effect in this version");
    for (const ServiceSettings& s : c_.services) {
      const ServiceRow& row = *find_service(s.name);
      if (row.kind == ServiceKind::Mail && !row.runs && !s.executable.empty())
        warn({"service", s.name, "executable"}, "is not started by this version: there are no local logins");
      if (s.enabled && !serves_clients(row.kind) && has_socket(s))
        warn({"service", s.name, "unix_listener"},
             "has no effect: only login services listen at sockets in the file system");
    }
  }

  static bool has_socket(const ServiceSettings& s) {
    return std::any_of(s.unix_listeners.begin(), s.unix_listeners.end(),
                       [](const UnixListener& l) { return l.mode != 0; });
  }

  void haproxy() {
    if (trusts_some_proxy()) return;
    for (const ServiceSettings& s : c_.services)
      for (const InetListener& l : s.inet_listeners)
        if (s.enabled && l.haproxy && l.port != 0)
          warn({"service", s.name, "inet_listener", l.name},
               "takes nobody's PROXY header: haproxy_trusted_networks is empty");
  }

  const Configuration& c_;
  const Node& root_;
  Problems& problems_;
};

}  // namespace

void check_configuration(const Configuration& configuration, const Node& root, Problems& problems) {
  Checker(configuration, root, problems).run();
}

}  // namespace postern
