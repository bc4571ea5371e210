// The handshake with a submission server (SUB-36 to SUB-48).
#ifndef POSTERN_PROTO_SMTP_SUBMISSION_BACK_H
#define POSTERN_PROTO_SMTP_SUBMISSION_BACK_H

#include "proto/script.h"

namespace postern::smtp {

// banner, EHLO, STARTTLS, EHLO, XCLIENT with EHLO, AUTH. With plan.authenticate = false the last EHLO is the login.
extern const Step kSubmissionSteps[7];

}  // namespace postern::smtp

#endif
