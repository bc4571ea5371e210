// Mechanisms without a password of ours: EXTERNAL (RFC 4422 appendix A) by client certificate, GSSAPI (RFC 4752) by GNU
// SASL, ANONYMOUS (RFC 4505).
#ifndef POSTERN_SASL_VOUCHED_MECHANISMS_H
#define POSTERN_SASL_VOUCHED_MECHANISMS_H

#include <memory>
#include <string_view>

#include "sasl/server.h"

namespace postern {

std::unique_ptr<ServerMechanism> make_external(const SaslContext& context);
std::unique_ptr<ServerMechanism> make_gssapi(const SaslContext& context);
std::unique_ptr<ServerMechanism> make_anonymous(const SaslContext& context);

// Whether the Kerberos principal `name` ("joe@EXAMPLE.ORG") is who he wants to be: himself, or the user of that name in
// `default_realm` ("joe").
bool is_principal_of(std::string_view name, std::string_view wanted, std::string_view default_realm);

}  // namespace postern

#endif
