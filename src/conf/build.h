// A tree of settings -> Configuration: names, types, limits. Rules between settings are in checks.h.
#ifndef POSTERN_CONF_BUILD_H
#define POSTERN_CONF_BUILD_H

#include <string>
#include <string_view>
#include <vector>

#include <fmt/core.h>

#include "base/text.h"
#include "conf/blocks.h"
#include "conf/node.h"
#include "conf/row.h"
#include "conf/services.h"
#include "conf/settings.h"
#include "conf/values.h"

namespace postern {

// `root` after older names were replaced.
Configuration build_configuration(const Node& root, Problems& problems);

// What `service` has after limits of 0, MASTER-2 and the default of vsz_limit are worked in.
void settle_service(const ServiceRow& row, const Settings& settings, bool vsz_given, ServiceSettings& service);
// The service when the file says nothing of it.
ServiceSettings default_service(const ServiceRow& row, const Settings& settings);

// --- pieces that the parts of the builder share ---------------------------------------

// "is unknown; did you mean X?"
void unknown_name(const Node& node, const std::vector<std::string_view>& known, Problems& problems);
// False, with an error, when `node` is not a group.
bool expect_group(const Node& node, Problems& problems);
// The elements of a list of groups; a lone group is a list of one.
std::vector<const Node*> group_elements(const Node& node, Problems& problems);
// A global setting of a filter block or of the file into `values`.
void read_setting(const Node& node, Key key, std::vector<std::pair<uint16_t, SettingValue>>& values,
                  Problems& problems);
// `passdb` or `userdb`.
std::vector<DatabaseSettings> read_databases(const Node& node, std::span<const BlockKey<DatabaseSettings>> keys,
                                             Problems& problems);
// `protocol`, `local`, `local_name`, `remote` below `root`, sorted by precedence.
std::vector<SettingsOverride> read_overrides(const Node& root, Problems& problems);
bool is_filter_name(std::string_view name);

// Reads the keys that the table has; returns the children it did not know.
template <class Block>
std::vector<const Node*> read_keys(const Node& group, std::span<const BlockKey<Block>> keys, Block& block,
                                   Problems& problems) {
  std::vector<const Node*> others;
  for (const Node& child : group.children) {
    const BlockKey<Block>* key = nullptr;
    for (const BlockKey<Block>& k : keys)
      if (k.row.name == child.name) key = &k;
    if (!key) {
      others.push_back(&child);
      continue;
    }
    const Result<SettingValue> value = parse_value(key->row, child);
    if (value) put_value(block, *key, *value);
    else problems.error(child, value.error());
  }
  return others;
}

template <class Block>
std::vector<std::string_view> key_names(std::span<const BlockKey<Block>> keys) {
  std::vector<std::string_view> names;
  for (const BlockKey<Block>& key : keys) names.push_back(key.row.name);
  return names;
}

}  // namespace postern

#endif
