// POP3 (RFC 1939, 2449, 2595, 5034) as common code sees it.
#ifndef POSTERN_PROTO_POP3_PROTOCOL_H
#define POSTERN_PROTO_POP3_PROTOCOL_H

#include "proto/protocol.h"

namespace postern {

extern const Protocol kPop3;

}  // namespace postern

#endif
