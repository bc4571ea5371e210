// Names of Dovecot 1.x, 2.x and 2.4 that are ours under another name (DECISIONS section 2, MASTER-46).
#ifndef POSTERN_CONF_OLDER_NAMES_H
#define POSTERN_CONF_OLDER_NAMES_H

#include "conf/node.h"

namespace postern {

// Replaces them in the tree; each gets a warning that shows the new line, or an error when the new one
// is there as well.
void replace_older_names(Node& root, Problems& problems);

}  // namespace postern

#endif
