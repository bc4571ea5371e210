// libconfig text -> Node. reader.cc is libconfig's only home.
#ifndef POSTERN_CONF_TREE_H
#define POSTERN_CONF_TREE_H

#include <optional>
#include <string>

#include "conf/node.h"
#include "conf/scan.h"

namespace postern {

// The tree of a file; nothing after an error.
std::optional<Node> read_tree(const std::string& text, const std::string& name, Problems& problems);
// The one value that `text` is in libconfig's notation; nothing when it is something else.
std::optional<Node> read_value(const std::string& text);

// Works "path=value" (-o) into `root`; the value is libconfig, or else a string.
void assign(Node& root, const std::string& assignment, Problems& problems);

}  // namespace postern

#endif
