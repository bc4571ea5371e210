// Mechanisms that prove a password without sending it, by GNU SASL: CRAM-MD5 (RFC 2195), SCRAM-SHA-1 (RFC 5802),
// SCRAM-SHA-256 (RFC 7677). This is GNU SASL's only home.
#ifndef POSTERN_SASL_GNU_SASL_H
#define POSTERN_SASL_GNU_SASL_H

#include <memory>

#include "sasl/server.h"

namespace postern {

std::unique_ptr<ServerMechanism> make_cram_md5();
std::unique_ptr<ServerMechanism> make_scram_sha_1();
std::unique_ptr<ServerMechanism> make_scram_sha_256();

}  // namespace postern

#endif
