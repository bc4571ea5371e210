// `args` of passdb pam, as in Dovecot 2.3 (AUTH-21). Pure; no PAM here.
#ifndef POSTERN_AUTH_DB_PAM_PLAN_H
#define POSTERN_AUTH_DB_PAM_PLAN_H

#include <cstdint>

#include "auth/db.h"

namespace postern {

struct PamPlan {
  bool session = false, setcred = false;
  bool failure_show_msg = false;  // what PAM says goes to the client
  uint64_t max_requests = 100;    // then the auth-worker makes room for a new one; 0: never
  Template cache_key;             // with it answers are cached (AUTH-21), by its variables, service, user and address
  Template service;               // name of the file in /etc/pam.d

  // [session=yes] [setcred=yes] [failure_show_msg=yes] [max_requests=N] [cache_key=KEY] [SERVICE]. SERVICE is "dovecot"
  // when it is left out, and "*" is the protocol's name. The Error names the word.
  static Result<PamPlan> from(const DatabaseSettings& settings);
};

Result<DriverTraits> describe_pam(const DatabaseSettings& settings, DbKind kind);

}  // namespace postern

#endif
