// Stored passwords: {SCHEME[.b64|.base64|.hex]}data (AUTH-26), how to compare with them (AUTH-27), how to make them.
#ifndef POSTERN_CRYPT_SCHEMES_H
#define POSTERN_CRYPT_SCHEMES_H

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ipc/worker_messages.h"
#include "sasl/server.h"

namespace postern {

// What verify_password() found. `why` is for the log when it is UnknownScheme or Broken (data that the scheme
// cannot have made); it never contains the data.
struct Verification {
  VerifyResult result = VerifyResult::Broken;
  std::string why;
};

// What a scheme hashes.
struct PasswordInput {
  std::string_view password;
  std::string_view user{};  // as the client gave it; DIGEST-MD5 alone wants it
  uint32_t rounds = 0;      // for makers, brought within what the scheme allows; 0: its usual number
};

// Whether a scheme of this name (with or without an encoding suffix) exists.
bool is_known_scheme(std::string_view name);
// All of them, in the order of the table.
std::vector<std::string_view> scheme_names();

// Schemes that are made to cost time: compared in an auth-worker (AUTH-28). `stored` without {SCHEME} is of
// `default_scheme`.
bool is_slow(std::string_view stored, std::string_view default_scheme, bool literal = false);

// Schemes, and results of crypt(), that auth_allow_weak_schemes is about: what DES, MD5 or MD4 protects.
bool is_weak(std::string_view stored, std::string_view default_scheme, bool literal = false);

// Compares in constant time. `literal`: `stored` is data of `default_scheme` even if it begins with '{'
// (password_noscheme, AUTH-8). `user`: see PasswordInput.
Verification verify_password(std::string_view stored, std::string_view password, std::string_view default_scheme,
                             bool literal = false, std::string_view user = {});

// The same for who is no passdb: `why` is about the hash alone.
Verification check_password(std::string_view stored, std::string_view password, std::string_view default_scheme,
                            bool literal = false, std::string_view user = {});

// "{SCHEME}data" with a new salt, in the encoding that the name's suffix wants, the scheme's own without one. The
// Error: an unknown scheme, a user name that is missing, an algorithm that this system has not.
Result<SecretString> make_password(std::string_view scheme, const PasswordInput& input);

// What a mechanism that checks proofs gets (AUTH-27): a password stored in the clear, or data of the scheme
// `verifier` (empty: none will do), decoded: 32 bytes for CRAM-MD5 (sasl/hmac_md5.h), 16 for DIGEST-MD5. The Error is
// for the log: which scheme `wanted` is, which one was found.
Result<SaslSecret> secret_for_proof(std::string_view stored, std::string_view default_scheme, bool literal,
                                    std::string_view verifier, std::string_view wanted);

// The same with the scheme spelled out, for messages that carry only the stored text.
SecretString with_scheme(std::string_view stored, std::string_view default_scheme, bool literal);

}  // namespace postern

#endif
