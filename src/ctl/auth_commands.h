// posternctl auth ...: trials of logins, and the cache. Output as doveadm(1) has it.
#ifndef POSTERN_CTL_AUTH_COMMANDS_H
#define POSTERN_CTL_AUTH_COMMANDS_H

#include "ctl/commands.h"

namespace postern {

int try_login(const Command& self, const Arguments& arguments, Console& console);
int look_up_user(const Command& self, const Arguments& arguments, Console& console);
int flush_cache(const Command& self, const Arguments& arguments, Console& console);
int cache_status(const Command& self, const Arguments& arguments, Console& console);

}  // namespace postern

#endif
