// Passwords in the clear, and plain digests of them.
#include <openssl/rand.h>

#include <algorithm>

#include "base/secret.h"
#include "base/text.h"
#include "crypt/scheme.h"

namespace postern {

namespace {

constexpr size_t kSaltBytes = 8;

}  // namespace

Verification match_if(bool equal) { return {equal ? VerifyResult::Match : VerifyResult::Mismatch, {}}; }
Verification broken(std::string_view why) { return {VerifyResult::Broken, std::string(why)}; }

std::string random_bytes(size_t size) {
  std::string out(size, '\0');
  return RAND_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(size)) == 1 ? out : std::string();
}

std::string random_salt(size_t size) {
  static constexpr char kLetters[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  std::string out = random_bytes(size);
  for (char& c : out) c = kLetters[static_cast<unsigned char>(c) % 64];
  return out;
}

uint32_t rounds_within(uint32_t wanted, uint32_t usual, uint32_t least, uint32_t most) {
  return std::clamp(wanted == 0 ? usual : wanted, least, most);
}

Verification verify_made(const Scheme& scheme, std::string_view data, const PasswordInput& input) {
  if (scheme.size != 0 && data.size() != scheme.size) return broken("wrong length");
  Result<std::string> made = scheme.make(scheme, input);
  if (!made) return broken(made.error());
  const bool equal = equal_constant_time(*made, data);
  secure_zero(made->data(), made->size());
  return match_if(equal);
}

Result<std::string> make_plain(const Scheme&, const PasswordInput& input) { return std::string(input.password); }

// LENGTH-TEXT: a text of that length may be the beginning of the password, a shorter one is all of it. A length of 0,
// which any password would match, is refused.
Verification verify_truncated(const Scheme&, std::string_view data, const PasswordInput& input) {
  const size_t dash = data.find('-');
  const auto length = dash == std::string_view::npos ? std::nullopt : parse_number(data.substr(0, dash), 65536);
  if (!length || *length == 0) return broken("not LENGTH-TEXT");
  const std::string_view text = data.substr(dash + 1);
  const std::string_view given = text.size() == *length ? input.password.substr(0, text.size()) : input.password;
  return match_if(equal_constant_time(given, text));
}

Result<std::string> make_truncated(const Scheme&, const PasswordInput& input) {
  return std::to_string(std::max<size_t>(input.password.size(), 1)) + '-' + std::string(input.password);
}

Result<std::string> make_digest(const Scheme& scheme, const PasswordInput& input) {
  std::string made = digest(scheme.digest, input.password);
  if (made.empty()) return Error("digest not available");
  return made;
}

// The digest of password and salt, then the salt.
Verification verify_salted(const Scheme& scheme, std::string_view data, const PasswordInput& input) {
  const size_t size = digest_size(scheme.digest);
  if (data.size() <= size) return broken("wrong length");
  const std::string made = digest(scheme.digest, input.password, data.substr(size));
  if (made.empty()) return broken("digest not available");
  return match_if(equal_constant_time(made, data.substr(0, size)));
}

Result<std::string> make_salted(const Scheme& scheme, const PasswordInput& input) {
  const std::string salt = random_bytes(kSaltBytes);
  const std::string made = digest(scheme.digest, input.password, salt);
  if (made.empty() || salt.empty()) return Error("digest not available");
  return made + salt;
}

}  // namespace postern
