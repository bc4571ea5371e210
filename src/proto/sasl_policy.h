// Which mechanisms a client may use now (SASL-1 to SASL-3, IMAP-6, IMAP-61): one ruling for all protocols, which have
// their own words for it.
#ifndef POSTERN_PROTO_SASL_POLICY_H
#define POSTERN_PROTO_SASL_POLICY_H

#include <cstdint>
#include <string>
#include <string_view>

#include "proto/front.h"

namespace postern {

// Whether a password may be sent in the clear, or the connection counts as secured.
bool may_send_password(const FrontSettings& settings, const ConnectionFacts& facts);
// Whether the mechanism is shown to this client.
bool is_offered(const FrontSettings::Mechanism& mechanism, const FrontSettings& settings, const ConnectionFacts& facts);
// Their names, in order, each behind a blank.
std::string offered_mechanisms(const FrontSettings& settings, const ConnectionFacts& facts);

enum class SaslRuling : uint8_t {
  Allowed,
  NeedsTls,         // ssl = required: nothing is allowed before
  Unknown,          // no such mechanism here
  NeedsEncryption,  // would send the password itself
};
// `mechanism` in upper case.
SaslRuling rule_on(std::string_view mechanism, const FrontSettings& settings, const ConnectionFacts& facts);

}  // namespace postern

#endif
