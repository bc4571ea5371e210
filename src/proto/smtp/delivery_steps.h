// The handshake with servers that take mail, LMTP or SMTP, up to the first MAIL (LMTP-26 to LMTP-28, LMTP-50).
#ifndef POSTERN_PROTO_SMTP_DELIVERY_STEPS_H
#define POSTERN_PROTO_SMTP_DELIVERY_STEPS_H

#include "proto/script.h"

namespace postern::smtp {

// banner, LHLO, STARTTLS, LHLO, XCLIENT, LHLO; accepted when nothing is left to be said, with the last reply's lines
// behind the server's name as BackendReply::capabilities, joined by LF. Where a step is refused the server hears QUIT.
extern const Step kLmtpSteps[6];
// The same with EHLO, or HELO where a server knows no EHLO.
extern const Step kSmtpSteps[6];

}  // namespace postern::smtp

#endif
