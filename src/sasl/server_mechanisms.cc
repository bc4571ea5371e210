#include "sasl/server_mechanisms.h"

#include "base/check.h"
#include "sasl/gnu_sasl.h"
#include "sasl/password_mechanisms.h"
#include "sasl/proof_mechanisms.h"
#include "sasl/token_mechanisms.h"
#include "sasl/vouched_mechanisms.h"

namespace postern {

namespace {

using Made = std::unique_ptr<ServerMechanism>;
template <Made (*Make)()>
Made without_context(const SaslContext&) {
  return Make();
}

struct Maker {
  std::string_view name;
  Made (*make)(const SaslContext& context);
  bool by_library = false;  // GNU SASL
};
constexpr Maker kMakers[] = {
    {"PLAIN", without_context<make_plain>},
    {"LOGIN", without_context<make_login>},
    {"CRAM-MD5", without_context<make_cram_md5>, true},
    {"DIGEST-MD5", make_digest_md5, true},
    {"APOP", without_context<make_apop>},
    {"SCRAM-SHA-1", make_scram_sha_1, true},
    {"SCRAM-SHA-1-PLUS", make_scram_sha_1_plus, true},
    {"SCRAM-SHA-256", make_scram_sha_256, true},
    {"SCRAM-SHA-256-PLUS", make_scram_sha_256_plus, true},
    {"EXTERNAL", make_external},
    {"GSSAPI", make_gssapi, true},
    {"ANONYMOUS", make_anonymous},
    {"XOAUTH2", without_context<make_xoauth2>},
    {"OAUTHBEARER", without_context<make_oauthbearer>},
};

const Maker& maker_of(const MechanismInfo& mechanism) {
  const Maker* found = nullptr;
  for (const Maker& maker : kMakers)
    if (maker.name == mechanism.name) found = &maker;
  POSTERN_CHECK(found != nullptr, "a mechanism without its exchange");
  return *found;
}

}  // namespace

std::unique_ptr<ServerMechanism> make_server_mechanism(const MechanismInfo& mechanism, const SaslContext& context) {
  return maker_of(mechanism).make(context);
}

bool is_available(const MechanismInfo& mechanism) {
  return !maker_of(mechanism).by_library || GnuExchange::supports(mechanism.name);
}

}  // namespace postern
