#include "sasl/mechanisms.h"

#include <algorithm>

#include "base/text.h"

namespace postern {

namespace {

constexpr MechanismInfo kMechanisms[] = {
    {.name = "PLAIN", .plaintext = true},
    {.name = "LOGIN", .plaintext = true},
    {.name = "CRAM-MD5", .proof = true, .verifier = "CRAM-MD5"},
    {.name = "DIGEST-MD5", .proof = true, .verifier = "DIGEST-MD5"},
    {.name = "APOP", .is_private = true, .proof = true},
    {.name = "SCRAM-SHA-1", .proof = true, .verifier = "SCRAM-SHA-1"},
    {.name = "SCRAM-SHA-1-PLUS", .proof = true, .verifier = "SCRAM-SHA-1", .need = MechanismNeed::ChannelBinding},
    {.name = "SCRAM-SHA-256", .proof = true, .verifier = "SCRAM-SHA-256"},
    {.name = "SCRAM-SHA-256-PLUS", .proof = true, .verifier = "SCRAM-SHA-256", .need = MechanismNeed::ChannelBinding},
    {.name = "EXTERNAL", .need = MechanismNeed::Certificate},
    {.name = "GSSAPI", .token = true, .keytab = true},
    {.name = "ANONYMOUS", .anonymous = true},
    {.name = "XOAUTH2",
     .plaintext = true,
     .token = true,
     .refusal = R"({"status":"401","schemes":"bearer","scope":"mail"})"},
    {.name = "OAUTHBEARER", .plaintext = true, .token = true, .refusal = R"({"status":"invalid_token"})"},
};

}  // namespace

std::span<const MechanismInfo> all_mechanisms() { return kMechanisms; }

const MechanismInfo* find_mechanism(std::string_view name) {
  for (const MechanismInfo& m : kMechanisms)
    if (iequals(m.name, name)) return &m;
  return nullptr;
}

std::vector<const MechanismInfo*> select_mechanisms(std::span<const std::string> names) {
  std::vector<const MechanismInfo*> out;
  for (const std::string& name : names) {
    const MechanismInfo* m = find_mechanism(name);
    if (m != nullptr && std::find(out.begin(), out.end(), m) == out.end()) out.push_back(m);
  }
  return out;
}

}  // namespace postern
