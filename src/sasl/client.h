// SASL as a client, towards backends: PLAIN (RFC 4616), LOGIN, EXTERNAL (RFC 4422), XOAUTH2 and OAUTHBEARER
// (RFC 7628), SCRAM-SHA-1 and SCRAM-SHA-256 (RFC 5802, RFC 7677). One row per mechanism.
#ifndef POSTERN_SASL_CLIENT_H
#define POSTERN_SASL_CLIENT_H

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/secret.h"
#include "sasl/scram_client.h"

namespace postern {

struct ClientCredentials {
  std::string_view authzid;   // whom to act as; always filled (PXI-15)
  std::string_view authid;    // who authenticates
  std::string_view password;  // or token
};

// One exchange; a plain value without passwords.
class ClientMechanism {
 public:
  ClientMechanism() = default;
  // `name` in any case; nothing when we have no such mechanism (PXI-2).
  static std::optional<ClientMechanism> make(std::string_view name);

  // Whether the client speaks first (all but LOGIN).
  bool client_first() const;
  // The response to `challenge`, both not encoded. For a client that speaks first, the first call gives the
  // initial response; its challenge is empty. Nothing: the mechanism has no answer to this, the server is wrong.
  std::optional<SecretString> step(std::string_view challenge, const ClientCredentials& who);
  // The server says yes, with `data` (not encoded; empty where it says nothing more). Whether to believe it: with SCRAM
  // it has to have shown that it knows the password, here or as the last challenge.
  bool confirmed(std::string_view data) const;
  // The server's proof was wrong: it does not know the password.
  bool refuted() const { return scram_ && round_ > 2 && !server_proved_; }
  // Whether there must be a password or token (all but EXTERNAL).
  bool needs_password() const;

 private:
  struct Row;
  std::optional<SecretString> scram_step(std::string_view challenge, const ClientCredentials& who);
  static const Row kRows[];
  const Row* row_ = nullptr;
  uint8_t round_ = 0;
  std::optional<ScramClient> scram_;
  bool server_proved_ = false;
};

}  // namespace postern

#endif
