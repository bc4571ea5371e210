// The client's side of ManageSieve before login (SIEVE-1 to SIEVE-22, SIEVE-40, SIEVE-41; RFC 5804).
#ifndef POSTERN_PROTO_SIEVE_FRONT_H
#define POSTERN_PROTO_SIEVE_FRONT_H

#include <memory>

#include "proto/front.h"

namespace postern::sieve {

// `settings` must outlive the front.
std::unique_ptr<Front> make_front(const FrontSettings& settings, const ConnectionFacts& facts);

}  // namespace postern::sieve

#endif
