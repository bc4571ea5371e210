// Submission (RFC 6409) as common code sees it.
#ifndef POSTERN_PROTO_SMTP_SUBMISSION_H
#define POSTERN_PROTO_SMTP_SUBMISSION_H

#include "proto/protocol.h"

namespace postern {

extern const Protocol kSubmission;

}  // namespace postern

#endif
