// A transaction with an LMTP or SMTP server whose handshake is done (LMTP-29 to LMTP-32, LMTP-40 to LMTP-42).
#ifndef POSTERN_PROTO_SMTP_DELIVERY_BACK_H
#define POSTERN_PROTO_SMTP_DELIVERY_BACK_H

#include <memory>

#include "proto/delivery.h"

namespace postern::smtp {

// An LMTP server answers for each recipient that it took, an SMTP server once for all of them. `capabilities`: as the
// handshake found them, a line each.
std::unique_ptr<DeliveryBack> make_lmtp_back(std::string_view capabilities, const Envelope& envelope);
std::unique_ptr<DeliveryBack> make_smtp_back(std::string_view capabilities, const Envelope& envelope);

}  // namespace postern::smtp

#endif
