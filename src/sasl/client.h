// SASL as a client, towards backends: PLAIN (RFC 4616), LOGIN, EXTERNAL (RFC 4422), XOAUTH2 and OAUTHBEARER
// (RFC 7628). One row per mechanism.
#ifndef POSTERN_SASL_CLIENT_H
#define POSTERN_SASL_CLIENT_H

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/secret.h"

namespace postern {

struct ClientCredentials {
  std::string_view authzid;   // whom to act as; always filled (PXI-15)
  std::string_view authid;    // who authenticates
  std::string_view password;  // or token
};

// One exchange; a plain value without secrets.
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

 private:
  struct Row;
  static const Row kRows[];
  const Row* row_ = nullptr;
  uint8_t round_ = 0;
};

}  // namespace postern

#endif
