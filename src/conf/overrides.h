// Filter blocks at work: which of them hold for a connection, and the settings that follow.
#ifndef POSTERN_CONF_OVERRIDES_H
#define POSTERN_CONF_OVERRIDES_H

#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "conf/settings.h"

namespace postern {

// What is known of a connection. Before the ClientHello there is no name, and blocks with local_name do not hold.
struct ConnectionFilter {
  std::string_view protocol;
  IpAddress local, remote;
  std::string_view local_name = {};  // SNI, any case
};

// Indices into Configuration::overrides, in the order in which they apply: equal sets mean equal settings.
using OverrideSet = std::vector<uint16_t>;
OverrideSet matching_overrides(const Configuration& configuration, const ConnectionFilter& filter);
Settings merged_settings(const Configuration& configuration, const OverrideSet& set);

// Whether `name` is covered by `pattern`: the same, or "*.domain" for exactly one label before it. Both in any case.
bool name_matches(std::string_view pattern, std::string_view name);

// Merged settings, one copy per distinct set. `configuration` must outlive it; references stay valid.
class OverrideCache {
 public:
  explicit OverrideCache(const Configuration& configuration) : configuration_(configuration) {}
  const Settings& settings_for(const ConnectionFilter& filter) {
    return settings_for(matching_overrides(configuration_, filter));
  }
  const Settings& settings_for(const OverrideSet& set);

 private:
  const Configuration& configuration_;
  std::map<OverrideSet, std::unique_ptr<Settings>> merged_;
};

}  // namespace postern

#endif
