// Mechanisms that prove a password without sending it. GNU SASL does CRAM-MD5 (RFC 2195), DIGEST-MD5 (RFC 2831),
// SCRAM-SHA-1 (RFC 5802) and SCRAM-SHA-256 (RFC 7677), these two also bound to the TLS session (-PLUS); APOP is of RFC
// 1939 section 7.
#ifndef POSTERN_SASL_PROOF_MECHANISMS_H
#define POSTERN_SASL_PROOF_MECHANISMS_H

#include <memory>
#include <string_view>

#include "sasl/server.h"

namespace postern {

std::unique_ptr<ServerMechanism> make_cram_md5();
// The realm of a name without one becomes its domain. Without `realms` the client may name any.
std::unique_ptr<ServerMechanism> make_digest_md5(const SaslContext& context);
// Its only response is apop_response().
std::unique_ptr<ServerMechanism> make_apop();
std::unique_ptr<ServerMechanism> make_scram_sha_1(const SaslContext& context);
std::unique_ptr<ServerMechanism> make_scram_sha_1_plus(const SaslContext& context);
std::unique_ptr<ServerMechanism> make_scram_sha_256(const SaslContext& context);
std::unique_ptr<ServerMechanism> make_scram_sha_256_plus(const SaslContext& context);

// Who is named by the answer to a DIGEST-MD5 challenge (RFC 2831 section 2.1.2), before anything of it is believed.
struct DigestMd5Names {
  std::string user, realm;
};
// Nothing for text that is no such answer. For texts of any length.
std::optional<DigestMd5Names> read_digest_md5_names(std::string_view response);

// A password that nobody can know, so that no proof is right.
SecretString unknowable_password();

}  // namespace postern

#endif
