// Settings as immutable values, filled from the one table in settings.def.
#ifndef POSTERN_CONF_SETTINGS_H
#define POSTERN_CONF_SETTINGS_H

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "base/address.h"
#include "base/clock.h"
#include "base/result.h"

namespace postern {

// One enumerator per row of settings.def, named after it.
enum class Key : uint16_t {
#define SECTION(title)
#define SETTING(name, type, def, limits, roles, flags, doc) name,
#include "conf/settings.def"
#undef SETTING
#undef SECTION
  kCount
};

// Values: Flag -> bool; Number, Size (bytes), Time (ms), Mode -> int64_t; Text, Path, Choice -> string; List,
// Networks, Words -> strings (RowType in row.h).
using SettingValue = std::variant<bool, int64_t, std::string, std::vector<std::string>>;

// A complete set of global settings. Rows that a role does not see hold their defaults.
class Settings {
 public:
  Settings();  // all defaults

  bool flag(Key key) const { return std::get<bool>(values_[static_cast<size_t>(key)]); }
  int64_t number(Key key) const { return std::get<int64_t>(values_[static_cast<size_t>(key)]); }
  Milliseconds time(Key key) const { return Milliseconds(number(key)); }
  const std::string& text(Key key) const { return std::get<std::string>(values_[static_cast<size_t>(key)]); }
  const std::vector<std::string>& list(Key key) const {
    return std::get<std::vector<std::string>>(values_[static_cast<size_t>(key)]);
  }
  const SettingValue& value(Key key) const { return values_[static_cast<size_t>(key)]; }
  void set(Key key, SettingValue value) { values_[static_cast<size_t>(key)] = std::move(value); }

  auto fields() { return std::tie(values_); }

 private:
  std::vector<SettingValue> values_;
};

// --- structured parts --------------------------------------------------------

struct InetListener {
  std::string name;
  uint16_t port = 0;                 // 0: off
  std::vector<std::string> address;  // empty: `listen`
  bool ssl = false, haproxy = false, reuse_port = false;
  auto fields() { return std::tie(name, port, address, ssl, haproxy, reuse_port); }
};

struct UnixListener {
  std::string path, user, group;
  int64_t mode = 0600;  // 0: off
  std::string where;    // "FILE:LINE", as that of the service
  auto fields() { return std::tie(path, user, group, mode); }
};

// MASTER-1: one block below `service`, defaults filled in (MASTER-4).
struct ServiceSettings {
  std::string name;      // "imap-login"
  std::string protocol;  // "imap"; empty for internal services
  std::string executable, user, group, chroot;
  int64_t process_min_avail = 0, process_limit = 100, client_limit = 1000, service_count = 0;
  Milliseconds idle_kill{60000};
  int64_t vsz_limit = 0;  // bytes, 0: none
  std::vector<InetListener> inet_listeners;
  std::vector<UnixListener> unix_listeners;
  bool enabled = true;  // its word stands in `protocols`, or it is internal
  std::string where;    // "FILE:LINE" of its block, for errors found after reading; not sent to children, no difference
                        // at a reload
  auto fields() {
    return std::tie(name, protocol, executable, user, group, chroot, process_min_avail, process_limit, client_limit,
                    service_count, idle_kill, vsz_limit, inet_listeners, unix_listeners, enabled);
  }
};

// AUTH-1: one element of `passdb` or `userdb`.
struct DatabaseSettings {
  std::string name;  // "passdb 1" or its own
  std::string driver, args;
  bool master = false, deny = false;
  std::string skip = "never", result_success = "return-ok", result_failure = "continue",
              result_internalfail = "continue";
  std::vector<std::string> mechanisms, username_filter;
  std::vector<std::pair<std::string, std::string>> default_fields, override_fields;
  std::string auth_verbose = "default";
  std::map<std::string, std::string> driver_settings;              // sql_connect ..., file of args already read in
  std::vector<std::pair<std::string, std::string>> driver_fields;  // static's fields, in order
  std::string where;                                               // "FILE:LINE", for errors found later
  auto fields() {
    return std::tie(name, driver, args, master, deny, skip, result_success, result_failure, result_internalfail,
                    mechanisms, username_filter, default_fields, override_fields, auth_verbose, driver_settings,
                    driver_fields, where);
  }
};

// One filter block (protocol, local, local_name, remote, nested): where all conditions that it has
// hold, its values win. Sorted so that later ones win over earlier ones (DECISIONS section 2).
struct SettingsOverride {
  std::string protocol;                                   // empty: any
  std::vector<Network> local, remote;                     // empty: any
  std::vector<std::string> local_names;                   // exact or "*.domain"; empty: any
  std::vector<std::pair<uint16_t, SettingValue>> values;  // Key, value
  std::vector<std::string> nesting;                       // "local_name", "protocol": as in the file, outermost first
  auto fields() { return std::tie(protocol, local, remote, local_names, values, nesting); }
};

// Everything the configuration file says, defaults filled in. The master holds it; children get slices.
struct Configuration {
  std::string file;
  Settings settings;
  std::vector<ServiceSettings> services;
  std::vector<DatabaseSettings> passdbs, userdbs;
  std::vector<SettingsOverride> overrides;
  // Where global settings were given, "FILE:LINE"; for errors found after reading. Not part of a slice.
  std::map<Key, std::string> places;
  auto fields() { return std::tie(file, settings, services, passdbs, userdbs, overrides); }

  // "FILE:LINE: " or, when the setting was not given, nothing.
  std::string place_of(Key key) const;
  const ServiceSettings* service(std::string_view name) const;
};

}  // namespace postern

#endif
