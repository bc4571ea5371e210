// What processes that run as other users can do with files.
#ifndef POSTERN_MASTER_FILE_ACCESS_H
#define POSTERN_MASTER_FILE_ACCESS_H

#include <string>

#include "base/result.h"
#include "role/jail.h"

namespace postern {

// `user` null: as ourselves.
// Tries to make a file without a name in `path` (mail_temp_dir, LMTP-38). The error says what is wrong with the folder.
Status check_temp_folder(const std::string& path, const Identity* user);
// Tries to open a file for reading.
Status check_readable(const std::string& path, const Identity* user);

}  // namespace postern

#endif
