// LMTP (RFC 2033) as common code sees it.
#ifndef POSTERN_PROTO_SMTP_LMTP_H
#define POSTERN_PROTO_SMTP_LMTP_H

#include "proto/delivery.h"

namespace postern {

extern const DeliveryProtocol kLmtp;

}  // namespace postern

#endif
