// passdb pam, in an auth-worker: the system's own way to check passwords (AUTH-21).
#ifndef POSTERN_AUTH_DB_PAM_H
#define POSTERN_AUTH_DB_PAM_H

#include <memory>

#include "auth/db.h"

namespace postern {

// Blocks as long as the modules take. Only checks passwords: without one the user is taken to exist, and has no fields.
Result<std::unique_ptr<Database>> open_pam(const DatabaseSettings& settings, DbKind kind);

}  // namespace postern

#endif
