// Rules between settings (MASTER-3). What needs the machine (users, files, ports) is the master's to check.
#ifndef POSTERN_CONF_CHECKS_H
#define POSTERN_CONF_CHECKS_H

#include "conf/node.h"
#include "conf/settings.h"

namespace postern {

// `root` shows where a setting stands.
void check_configuration(const Configuration& configuration, const Node& root, Problems& problems);

}  // namespace postern

#endif
