#include "conf/overrides.h"

#include <algorithm>

#include "base/text.h"

namespace postern {
namespace {

bool in_any(const std::vector<Network>& networks, const IpAddress& ip) {
  return networks.empty() ||
         std::any_of(networks.begin(), networks.end(), [&ip](const Network& n) { return n.contains(ip); });
}

bool named_by_any(const std::vector<std::string>& names, std::string_view name) {
  return names.empty() ||
         std::any_of(names.begin(), names.end(), [name](const std::string& p) { return name_matches(p, name); });
}

bool holds(const SettingsOverride& o, const ConnectionFilter& filter) {
  return (o.protocol.empty() || o.protocol == filter.protocol) && in_any(o.local, filter.local) &&
         in_any(o.remote, filter.remote) && named_by_any(o.local_names, filter.local_name);
}

}  // namespace

bool name_matches(std::string_view pattern, std::string_view name) {
  if (name.empty()) return false;
  if (!pattern.starts_with("*.")) return iequals(pattern, name);
  const size_t dot = name.find('.');
  return dot != std::string_view::npos && dot > 0 && iequals(pattern.substr(1), name.substr(dot));
}

OverrideSet matching_overrides(const Configuration& configuration, const ConnectionFilter& filter) {
  OverrideSet set;
  for (size_t i = 0; i < configuration.overrides.size(); ++i)
    if (holds(configuration.overrides[i], filter)) set.push_back(static_cast<uint16_t>(i));
  return set;
}

Settings merged_settings(const Configuration& configuration, const OverrideSet& set) {
  Settings merged = configuration.settings;
  for (uint16_t index : set)
    for (const auto& [key, value] : configuration.overrides[index].values) merged.set(static_cast<Key>(key), value);
  return merged;
}

const Settings& OverrideCache::settings_for(const OverrideSet& set) {
  if (set.empty()) return configuration_.settings;
  std::unique_ptr<Settings>& entry = merged_[set];
  if (!entry) entry = std::make_unique<Settings>(merged_settings(configuration_, set));
  return *entry;
}

}  // namespace postern
