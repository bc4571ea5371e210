// The client's side of LMTP (RFC 2033, RFC 3030; LMTP-5 to LMTP-18, LMTP-42, LMTP-49).
#ifndef POSTERN_PROTO_SMTP_LMTP_FRONT_H
#define POSTERN_PROTO_SMTP_LMTP_FRONT_H

#include <memory>

#include "proto/delivery.h"

namespace postern::smtp {

// `settings` must outlive the front.
std::unique_ptr<DeliveryFront> make_lmtp_front(const FrontSettings& settings, const ConnectionFacts& facts);

}  // namespace postern::smtp

#endif
