#include "proto/sasl_policy.h"

namespace postern {

bool may_send_password(const FrontSettings& settings, const ConnectionFacts& facts) {
  return facts.secured || (settings.allow_plaintext && !settings.tls_required);
}

namespace {

// AUTH-29: what it needs of a connection has to be there.
bool is_possible(const FrontSettings::Mechanism& mechanism, const ConnectionFacts& facts) {
  if (mechanism.need == MechanismNeed::ChannelBinding) return facts.binds;
  return mechanism.need != MechanismNeed::Certificate || facts.certificate;
}

}  // namespace

bool is_offered(const FrontSettings::Mechanism& mechanism, const FrontSettings& settings,
                const ConnectionFacts& facts) {
  if (mechanism.is_private || !is_possible(mechanism, facts) || (settings.tls_required && !facts.secured)) return false;
  return !mechanism.plaintext || may_send_password(settings, facts);
}

std::string offered_mechanisms(const FrontSettings& settings, const ConnectionFacts& facts) {
  std::string names;
  for (const auto& mechanism : settings.mechanisms)
    if (is_offered(mechanism, settings, facts)) (names += ' ') += mechanism.name;
  return names;
}

SaslRuling rule_on(std::string_view mechanism, const FrontSettings& settings, const ConnectionFacts& facts) {
  if (settings.tls_required && !facts.secured) return SaslRuling::NeedsTls;
  const FrontSettings::Mechanism* known = settings.mechanism(mechanism);
  if (known == nullptr || !is_possible(*known, facts)) return SaslRuling::Unknown;
  return known->plaintext && !may_send_password(settings, facts) ? SaslRuling::NeedsEncryption : SaslRuling::Allowed;
}

}  // namespace postern
