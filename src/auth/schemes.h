// Stored passwords: {SCHEME[.b64|.base64|.hex]}data (AUTH-26) and how to compare with them (AUTH-27).
#ifndef POSTERN_AUTH_SCHEMES_H
#define POSTERN_AUTH_SCHEMES_H

#include <string>
#include <string_view>

#include "base/result.h"
#include "ipc/messages.h"
#include "sasl/server.h"

namespace postern {

// What verify_password() found. `why` is for the log when it is UnknownScheme or Broken (data that the scheme
// cannot have made); it never contains the data.
struct Verification {
  VerifyResult result = VerifyResult::Broken;
  std::string why;
};

// Whether a scheme of this name (with or without an encoding suffix) exists.
bool is_known_scheme(std::string_view name);

// Schemes that are made to cost time: compared in an auth-worker (AUTH-28). `stored` without {SCHEME} is of
// `default_scheme`.
bool is_slow(std::string_view stored, std::string_view default_scheme, bool literal = false);

// Compares in constant time. `literal`: `stored` is data of `default_scheme` even if it begins with '{'
// (password_noscheme, AUTH-8). `user`: the name that the client sent, with its domain; DIGEST-MD5 has it in it.
Verification verify_password(std::string_view stored, std::string_view password, std::string_view default_scheme,
                             bool literal = false, std::string_view user = {});

// What a mechanism that checks proofs gets (AUTH-27): a password stored in the clear, or data of the scheme
// `verifier` (empty: none will do). The Error is for the log: which scheme `wanted` is, which one was found.
Result<SaslSecret> secret_for_proof(std::string_view stored, std::string_view default_scheme, bool literal,
                                    std::string_view verifier, std::string_view wanted);

// The same with the scheme spelled out, for messages that carry only the stored text.
SecretString with_scheme(std::string_view stored, std::string_view default_scheme, bool literal);

}  // namespace postern

#endif
