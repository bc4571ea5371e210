// Fields of a user as messages carry them.
#ifndef POSTERN_IPC_FIELD_LIST_H
#define POSTERN_IPC_FIELD_LIST_H

#include <string>
#include <utility>
#include <vector>

namespace postern {

// A passdb field as the database gave it; order matters for forward_* (PXI-10).
using FieldList = std::vector<std::pair<std::string, std::string>>;

}  // namespace postern

#endif
