// PLAIN (RFC 4616) and LOGIN (no RFC; as mail clients speak it).
#ifndef POSTERN_SASL_PASSWORD_MECHANISMS_H
#define POSTERN_SASL_PASSWORD_MECHANISMS_H

#include <memory>

#include "sasl/server.h"

namespace postern {

std::unique_ptr<ServerMechanism> make_plain();
std::unique_ptr<ServerMechanism> make_login();

}  // namespace postern

#endif
