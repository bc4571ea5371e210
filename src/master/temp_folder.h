// mail_temp_dir: whether login processes can keep messages there (LMTP-38).
#ifndef POSTERN_MASTER_TEMP_FOLDER_H
#define POSTERN_MASTER_TEMP_FOLDER_H

#include <string>

#include "base/result.h"
#include "role/jail.h"

namespace postern {

// Tries to make a file without a name in `path`, as `user` (null: as ourselves). The error says what is wrong with the folder.
Status check_temp_folder(const std::string& path, const Identity* user);

}  // namespace postern

#endif
