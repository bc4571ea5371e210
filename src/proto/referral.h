// Where a client is sent instead (REF-2, RFC 2221, RFC 5804).
#ifndef POSTERN_PROTO_REFERRAL_H
#define POSTERN_PROTO_REFERRAL_H

#include <cstdint>
#include <string>
#include <string_view>

#include "proto/answer.h"

namespace postern {

// "scheme://user;AUTH=MECH@host:port"; the port is left out when it is `usual_port` or not known.
std::string referral_url(std::string_view scheme, const ReferralTarget& target, uint16_t usual_port);

}  // namespace postern

#endif
