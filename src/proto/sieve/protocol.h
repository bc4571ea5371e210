// ManageSieve (RFC 5804) as common code sees it.
#ifndef POSTERN_PROTO_SIEVE_PROTOCOL_H
#define POSTERN_PROTO_SIEVE_PROTOCOL_H

#include "proto/protocol.h"

namespace postern::sieve {

extern const Protocol kSieve;

// Of clients and backends; left out of referrals.
inline constexpr uint16_t kPort = 4190;

}  // namespace postern::sieve

#endif
