// The handshake with a POP3 backend (PXP-1 to PXP-15).
#ifndef POSTERN_PROTO_POP3_BACK_H
#define POSTERN_PROTO_POP3_BACK_H

#include "proto/script.h"

namespace postern::pop3 {

extern const Step kSteps[6];

}  // namespace postern::pop3

#endif
