// The handshake with a ManageSieve backend (SIEVE-23 to SIEVE-39).
#ifndef POSTERN_PROTO_SIEVE_BACK_H
#define POSTERN_PROTO_SIEVE_BACK_H

#include "proto/script.h"

namespace postern::sieve {

extern const Step kSteps[5];

}  // namespace postern::sieve

#endif
