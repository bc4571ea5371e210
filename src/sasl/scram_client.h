// SCRAM (RFC 5802, RFC 7677) as a client, without channel binding: towards backends. Login processes link it, so it is
// made of libcrypto's functions and not of GNU SASL.
#ifndef POSTERN_SASL_SCRAM_CLIENT_H
#define POSTERN_SASL_SCRAM_CLIENT_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/secret.h"

namespace postern {

enum class ScramHash : uint8_t { Sha1, Sha256 };

// A plain value: what one exchange remembers. No password is in it.
class ScramClient {
 public:
  // Iterations a server may ask for: fewer give the password away, more stop the process for a noticeable time.
  static constexpr uint64_t kMinIterations = 4096, kMaxIterations = 600'000;
  static constexpr size_t kLongestMessage = 4096;

  explicit ScramClient(ScramHash hash) : hash_(hash) {}

  // "n,,n=USER,r=NONCE"; `authzid` stands in it when it is somebody else. `nonce`: printable without comma,
  // unpredictable.
  std::string first(std::string_view authzid, std::string_view authcid, std::string_view nonce);
  // The proof, for "r=...,s=...,i=...". Nothing for what a server must not send.
  std::optional<SecretString> prove(std::string_view server_first, std::string_view password);
  // Whether "v=..." shows that the server knows the password, too.
  bool confirms(std::string_view server_final) const;

  static std::string make_nonce();

 private:
  ScramHash hash_;
  std::string first_bare_, gs2_header_, nonce_, signature_;
};

}  // namespace postern

#endif
