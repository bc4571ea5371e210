// Checks that only a role's own code can make (templates, SQL texts): its program is started on trial, with the
// settings it would get, and says what is wrong with them.
#ifndef POSTERN_MASTER_TRIAL_H
#define POSTERN_MASTER_TRIAL_H

#include "conf/settings.h"
#include "master/environment.h"

namespace postern {

// Adds what the services would stumble over, or only complain of; users and programs must have been checked before.
// Blocks for some milliseconds per service, never longer than 10 s.
void try_services(const Configuration& configuration, const Environment& environment, Findings& findings);

}  // namespace postern

#endif
