// posternctl's requests about auth, as questions to auth, and auth's answers as ends of an answer.
#ifndef POSTERN_STATE_AUTH_ORDERS_H
#define POSTERN_STATE_AUTH_ORDERS_H

#include "base/result.h"
#include "ipc/admin.h"
#include "ipc/question_messages.h"

namespace postern {

// The command is one of those that begin with "auth". The Error says what of the request is wrong.
Result<AuthQuestion> question_from(AdminRequest& request);
AdminEnd end_of(const AuthAnswer& answer);

}  // namespace postern

#endif
