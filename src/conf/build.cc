#include "conf/build.h"

#include <algorithm>

#include "base/log.h"
#include "conf/log_elements.h"

namespace postern {
namespace {

std::vector<std::string_view> known_names() {
  std::vector<std::string_view> names{"service", "passdb", "userdb", "protocol", "local", "local_name", "remote"};
  for (const Row& row : setting_rows()) names.push_back(row.name);
  return names;
}

// --- services ----------------------------------------------------------------------

template <class Block>
void unknown_keys(const std::vector<const Node*>& others, std::span<const BlockKey<Block>> keys,
                  std::vector<std::string_view> more, Problems& problems) {
  std::vector<std::string_view> known = key_names(keys);
  known.insert(known.end(), more.begin(), more.end());
  for (const Node* other : others) unknown_name(*other, known, problems);
}

void read_inet_listener(const Node& node, ServiceSettings& service, Problems& problems) {
  if (!expect_group(node, problems)) return;
  auto& all = service.inet_listeners;
  auto at = std::find_if(all.begin(), all.end(), [&](const InetListener& l) { return l.name == node.name; });
  if (at == all.end()) {
    at = all.insert(all.end(), InetListener{});
    at->name = node.name;
  }
  unknown_keys(read_keys(node, inet_listener_keys(), *at, problems), inet_listener_keys(), {}, problems);
}

// One that the service has already keeps what is not set here.
void read_unix_listener(const Node& node, ServiceSettings& service, Problems& problems) {
  auto& all = service.unix_listeners;
  UnixListener listener;
  Problems told_below;
  read_keys(node, unix_listener_keys(), listener, told_below);
  auto at = std::find_if(all.begin(), all.end(), [&](const UnixListener& l) { return l.path == listener.path; });
  if (at == all.end()) at = all.insert(all.end(), UnixListener{});
  unknown_keys(read_keys(node, unix_listener_keys(), *at, problems), unix_listener_keys(), {}, problems);
  at->where = node.where;
  if (at->path.empty()) problems.error(node, "needs a path");
}

void read_listeners(const Node& node, ServiceSettings& service, Problems& problems) {
  if (node.name == "unix_listener") {
    for (const Node* element : group_elements(node, problems)) read_unix_listener(*element, service, problems);
    return;
  }
  if (!expect_group(node, problems)) return;
  for (const Node& child : node.children) read_inet_listener(child, service, problems);
}

void read_service(const Node& node, const ServiceRow& row, const Settings& settings, ServiceSettings& service,
                  Problems& problems) {
  service = stock_service(row, settings);
  service.where = node.where;
  std::vector<const Node*> unknown;
  for (const Node* other : read_keys(node, service_keys(), service, problems)) {
    if (other->name == "inet_listener" || other->name == "unix_listener") read_listeners(*other, service, problems);
    else unknown.push_back(other);
  }
  unknown_keys(unknown, service_keys(), {"inet_listener", "unix_listener"}, problems);
  settle_service(row, settings, node.child("vsz_limit") != nullptr, service);
}

std::vector<ServiceSettings> read_services(const Node* node, const Settings& settings, Problems& problems) {
  std::vector<ServiceSettings> services;
  for (const ServiceRow& row : service_rows()) services.push_back(default_service(row, settings));
  if (!node || !expect_group(*node, problems)) return services;
  std::vector<std::string_view> known;
  for (const ServiceRow& row : service_rows()) known.push_back(row.name);
  for (const Node& child : node->children) {
    const ServiceRow* row = find_service(child.name);
    if (!row) {
      unknown_name(child, known, problems);
      continue;
    }
    if (expect_group(child, problems))
      read_service(child, *row, settings, services[row - service_rows().data()], problems);
  }
  return services;
}

// --- the file ------------------------------------------------------------------------

bool is_block(std::string_view name) {
  return name == "service" || name == "passdb" || name == "userdb" || is_filter_name(name);
}

Settings read_globals(const Node& root, std::map<Key, std::string>& places, Problems& problems) {
  Settings settings;
  std::vector<std::pair<uint16_t, SettingValue>> values;
  for (const Node& child : root.children) {
    if (is_block(child.name)) continue;
    const Key key = find_setting(child.name);
    if (key == Key::kCount) unknown_name(child, known_names(), problems);
    else read_setting(child, key, values, problems);
    places[key] = child.where;
  }
  for (auto& [key, value] : values) settings.set(static_cast<Key>(key), std::move(value));
  return settings;
}

// MASTER-6: with ssl = "no" listeners with TLS are not there.
void drop_tls_listeners(Configuration& configuration) {
  for (ServiceSettings& service : configuration.services) {
    const std::string* ssl = &configuration.settings.text(Key::ssl);
    for (const SettingsOverride& o : configuration.overrides) {
      if (o.protocol != service.protocol || !o.local.empty() || !o.remote.empty() || !o.local_names.empty()) continue;
      for (const auto& [key, value] : o.values)
        if (key == static_cast<uint16_t>(Key::ssl)) ssl = &std::get<std::string>(value);
    }
    if (*ssl == "no") std::erase_if(service.inet_listeners, [](const InetListener& l) { return l.ssl; });
  }
}

// Settings that are little languages: what the row's limits cannot say.
std::string syntax_problem(Key key, const SettingValue& value) {
  if (key == Key::login_log_format) return log_format_problem(std::get<std::string>(value));
  if (key != Key::login_log_format_elements) return {};
  const auto elements = parse_log_elements(std::get<std::string>(value));
  return elements ? std::string() : elements.error();
}

}  // namespace

void unknown_name(const Node& node, const std::vector<std::string_view>& known, Problems& problems) {
  const std::string_view near = nearest(node.name, known);
  problems.error(node, near.empty() ? "is unknown" : fmt::format("is unknown; did you mean {}?", near));
}

bool expect_group(const Node& node, Problems& problems) {
  if (!node.is_group()) problems.error(node, "is not a group; accepted: { ... }");
  return node.is_group();
}

std::vector<const Node*> group_elements(const Node& node, Problems& problems) {
  if (node.is_group()) return {&node};
  std::vector<const Node*> elements;
  if (!node.is_sequence()) problems.error(node, "is not a list; accepted: ( { ... }, { ... } )");
  for (const Node& child : node.children)
    if (expect_group(child, problems)) elements.push_back(&child);
  return elements;
}

void read_setting(const Node& node, Key key, std::vector<std::pair<uint16_t, SettingValue>>& values,
                  Problems& problems) {
  Result<SettingValue> value = parse_value(row_of(key), node);
  if (const std::string wrong = value ? syntax_problem(key, *value) : ""; !wrong.empty()) value = Error(wrong);
  if (value) values.emplace_back(static_cast<uint16_t>(key), std::move(*value));
  else problems.error(node, value.error());
}

void settle_service(const ServiceRow& row, const Settings& settings, bool vsz_given, ServiceSettings& service) {
  const bool counts_clients = row.client_limit == 0 && serves_clients(row.kind);
  if (service.process_limit == 0) service.process_limit = settings.number(Key::default_process_limit);
  if (service.client_limit == 0) service.client_limit = settings.number(Key::default_client_limit);
  if (counts_clients && service.service_count > 0)
    service.client_limit = std::min(service.client_limit, service.service_count);
  const bool limited = row.name == "auth-worker" || (serves_clients(row.kind) && service.service_count == 1);
  if (!vsz_given) service.vsz_limit = limited ? settings.number(Key::default_vsz_limit) : 0;
  const auto& words = settings.list(Key::protocols);
  const bool wanted =
      service.protocol.empty() || std::find(words.begin(), words.end(), service.protocol) != words.end();
  service.enabled = wanted && row.runs;
}

ServiceSettings default_service(const ServiceRow& row, const Settings& settings) {
  ServiceSettings service = stock_service(row, settings);
  settle_service(row, settings, false, service);
  return service;
}

Configuration build_configuration(const Node& root, Problems& problems) {
  Configuration configuration;
  configuration.settings = read_globals(root, configuration.places, problems);
  configuration.services = read_services(root.child("service"), configuration.settings, problems);
  if (const Node* node = root.child("passdb")) configuration.passdbs = read_databases(*node, passdb_keys(), problems);
  if (const Node* node = root.child("userdb")) configuration.userdbs = read_databases(*node, userdb_keys(), problems);
  configuration.overrides = read_overrides(root, problems);
  drop_tls_listeners(configuration);
  return configuration;
}

}  // namespace postern
