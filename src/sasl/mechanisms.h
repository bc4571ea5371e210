// The SASL mechanisms we can check, server side (RFC 4422): one row each. What is offered follows from
// auth_mechanisms and this table (AUTH-29). What is known of them; who checks them includes sasl/server_mechanisms.h.
#ifndef POSTERN_SASL_MECHANISMS_H
#define POSTERN_SASL_MECHANISMS_H

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace postern {

// What a connection must have for a mechanism to be offered there.
enum class MechanismNeed : uint8_t {
  Nothing,
  ChannelBinding,  // TLS with data to bind to (RFC 5929, RFC 9266)
  Certificate,     // the client's, verified
};

struct MechanismInfo {
  std::string_view name;        // upper case
  bool plaintext = false;       // the client sends the password itself: refused without TLS when so configured
  bool is_private = false;      // not offered, only for clients that know of it (IMAP-69)
  bool token = false;           // responses may be as long as auth_max_token_size
  bool proof = false;           // makes a SaslClaim: the stored password must be PLAIN or ...
  std::string_view verifier{};  // ... of this scheme (AUTH-27)
  std::string_view
      refusal{};  // what a client is told, as a challenge, before the failure itself (RFC 7628 section 3.2.2)
  MechanismNeed need = MechanismNeed::Nothing;
  bool keytab = false;  // the answers are tickets for a key of ours (auth_krb5_keytab)
  // For nobody in particular; not for protocols in which mail is sent or scripts are kept (SASL-1).
  bool anonymous = false;
};

// All rows, in the order of preference for a list without order of its own.
std::span<const MechanismInfo> all_mechanisms();

// The row named `name`, without regard to case; null when we don't have it.
const MechanismInfo* find_mechanism(std::string_view name);

// Rows for `names` (auth_mechanisms), in that order, each once; unknown names are left out: they are an error
// of the configuration, found when it is read.
std::vector<const MechanismInfo*> select_mechanisms(std::span<const std::string> names);

}  // namespace postern

#endif
