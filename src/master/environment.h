// What the master stands on: its rights, base_dir, users. And the checks of `postern -t`, which a start makes too.
#ifndef POSTERN_MASTER_ENVIRONMENT_H
#define POSTERN_MASTER_ENVIRONMENT_H

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "conf/settings.h"
#include "ipc/topology.h"

namespace postern {

struct Environment {
  bool privileged = false;  // may change user and root of its children
  std::string base_dir;
  int64_t descriptors = 1024;  // RLIMIT_NOFILE after raising it
  std::string missing;         // what cannot be done, for one warning; empty: nothing
};

// An operator's program for users of this host; the path of it, without its arguments.
bool has_mail_program(const ServiceSettings& service);
std::string mail_program_of(const ServiceSettings& service, const Configuration& configuration);
// The role that runs a service, nothing for services that the master doesn't run.
std::optional<Role> role_of(const ServiceSettings& service);
// Program of a service, absolute.
std::string program_of(const ServiceSettings& service, const Configuration& configuration);
// Whether a login service gets a process per connection from a prepared parent.
bool is_one_shot(const ServiceSettings& service);
// client_limit after MASTER-2 and what `descriptors` allow (DECISIONS section 2).
int64_t effective_client_limit(const ServiceSettings& service, int64_t descriptors);

// Finds out; changes nothing but the soft limit of descriptors. The error names the setting base_dir.
Result<Environment> look_around(const Configuration& configuration);
// What a start would stumble over: users, programs, certificates, listeners. Nothing is opened or made.
struct Findings {
  std::vector<std::string> errors, warnings;
};
Findings check_environment(const Configuration& configuration, const Environment& environment);

// base_dir and its login folder, with owner and mode (MASTER-43).
Status make_folders(const Configuration& configuration, const Environment& environment);
// Keeps only the capabilities of MASTER-40; when privileged.
Status limit_master(const Environment& environment);

}  // namespace postern

#endif
