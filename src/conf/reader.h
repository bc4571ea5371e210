// libconfig file -> Configuration, with every error of the file in one run.
#ifndef POSTERN_CONF_READER_H
#define POSTERN_CONF_READER_H

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "conf/settings.h"

namespace postern {

struct LoadedConfiguration {
  Configuration configuration;
  // "FILE:LINE: SETTING = VALUE: what is wrong; accepted: ..." (DECISIONS section 3), at most 50.
  std::vector<std::string> errors;
  std::vector<std::string> warnings;
  bool ok() const { return errors.empty(); }
};

// Reads `file`, then applies `assignments` ("service.imap-login.service_count=1", -o). Rules between
// settings are checked too (MASTER-3); nothing outside the file and the files its `args` name is touched.
LoadedConfiguration load_configuration(const std::string& file, const std::vector<std::string>& assignments);
// The same from text; `name` stands for the file in errors.
LoadedConfiguration load_configuration_text(const std::string& text, const std::string& name,
                                            const std::vector<std::string>& assignments);

// What a role may see: rows of other roles hold their defaults, databases only for auth and auth-worker,
// overrides only for login and of its own protocol. `role` is M, L, A, W or G as in settings.def.
Configuration slice_for(const Configuration& configuration, char role, std::string_view protocol);

}  // namespace postern

#endif
