#include "sasl/server_mechanisms.h"

#include "base/check.h"
#include "sasl/gnu_sasl.h"
#include "sasl/password_mechanisms.h"
#include "sasl/token_mechanisms.h"

namespace postern {

namespace {

struct Maker {
  std::string_view name;
  std::unique_ptr<ServerMechanism> (*make)();
};
constexpr Maker kMakers[] = {
    {"PLAIN", make_plain},
    {"LOGIN", make_login},
    {"CRAM-MD5", make_cram_md5},
    {"SCRAM-SHA-1", make_scram_sha_1},
    {"SCRAM-SHA-256", make_scram_sha_256},
    {"XOAUTH2", make_xoauth2},
    {"OAUTHBEARER", make_oauthbearer},
};

}  // namespace

std::unique_ptr<ServerMechanism> make_server_mechanism(const MechanismInfo& mechanism) {
  for (const Maker& maker : kMakers)
    if (maker.name == mechanism.name) return maker.make();
  POSTERN_CHECK(false, "a mechanism without its exchange");
  return nullptr;
}

}  // namespace postern
