// XOAUTH2 (as Google wrote it down) and OAUTHBEARER (RFC 7628): the bearer token comes as a password.
#ifndef POSTERN_SASL_TOKEN_MECHANISMS_H
#define POSTERN_SASL_TOKEN_MECHANISMS_H

#include <memory>

#include "sasl/server.h"

namespace postern {

std::unique_ptr<ServerMechanism> make_xoauth2();
std::unique_ptr<ServerMechanism> make_oauthbearer();

}  // namespace postern

#endif
