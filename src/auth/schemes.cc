#include "auth/schemes.h"

#include "config.h"

#include <crypt.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#ifdef HAVE_SODIUM
#include <sodium.h>
#endif

#include <memory>
#include <optional>

#include "auth/digest.h"
#include "base/base64.h"
#include "base/secret.h"
#include "base/text.h"
#include "sasl/hmac_md5.h"
#include "sasl/scram_verifier.h"

namespace postern {

namespace {

enum class Encoding : uint8_t { None, Hex, Base64 };

struct Scheme;
using Verify = Verification (*)(const Scheme& scheme, std::string_view data, std::string_view password);

struct Scheme {
  std::string_view name;
  Verify verify;
  Encoding encoding = Encoding::None;  // of data without a suffix
  bool slow = false;
  DigestKind digest = DigestKind::Md5;
  bool salted = false;                 // raw data is digest + salt
  bool with_name = false;              // the digest is of user:realm:password
  size_t raw_size = 0;                 // of data that is no digest; 0: the digest's
};

Verification match_if(bool equal) { return {equal ? VerifyResult::Match : VerifyResult::Mismatch, {}}; }
Verification broken(std::string_view why) { return {VerifyResult::Broken, std::string(why)}; }

Verification verify_plain(const Scheme&, std::string_view data, std::string_view password) {
  return match_if(equal_constant_time(data, password));
}

// Traditional DES hashes are 13 characters and cut passwords at 8: refused.
Verification verify_crypt(const Scheme&, std::string_view data, std::string_view password) {
  if (data.empty() || data[0] != '$') return broken("not a hash that crypt() makes, or a DES hash");
  if (password.size() > CRYPT_MAX_PASSPHRASE_SIZE) return match_if(false);
  const std::string setting(data);
  const SecretString phrase(std::string(password).append(1, '\0'));
  auto work = std::make_unique<crypt_data>();
  const char* made = crypt_r(phrase.reveal().data(), setting.c_str(), work.get());
  Verification out = made == nullptr || made[0] == '*' ? broken("crypt() does not know this hash")
                                                       : match_if(equal_constant_time(made, data));
  secure_zero(work.get(), sizeof *work);
  return out;
}

Verification verify_digest(const Scheme& scheme, std::string_view data, std::string_view password) {
  const size_t size = digest_size(scheme.digest);
  if (scheme.salted ? data.size() <= size : data.size() != size) return broken("wrong length");
  const std::string made = digest(scheme.digest, password, data.substr(size));
  if (made.empty()) return broken("digest not available");
  return match_if(equal_constant_time(made, data.substr(0, size)));
}

// MD5 stands for $1$ hashes and for plain hex.
// The states of HMAC-MD5 with the password as its key.
Verification verify_hmac_md5(const Scheme&, std::string_view data, std::string_view password) {
  if (data.size() != kHmacMd5StatesSize) return broken("wrong length");
  const SecretString made = hmac_md5_states(password);
  if (made.empty()) return broken("digest not available");
  return match_if(equal_constant_time(made.reveal(), data));
}

Verification verify_md5(const Scheme& scheme, std::string_view data, std::string_view password) {
  if (data.substr(0, 3) == "$1$") return verify_crypt(scheme, data, password);
  const auto raw = hex_decode(data);
  if (!raw) return broken("not hex");
  return verify_digest(scheme, *raw, password);
}

// $1$SALT$ROUNDS$HEX, HMAC-SHA1.
Verification verify_pbkdf2(const Scheme&, std::string_view data, std::string_view password) {
  const auto parts = split_fields(data, '$');
  if (parts.size() != 5 || !parts[0].empty() || parts[1] != "1") return broken("not $1$salt$rounds$hash");
  const auto rounds = parse_number(parts[3], 100'000'000);
  const auto expected = hex_decode(parts[4]);
  if (!rounds || *rounds == 0 || !expected || expected->size() != 20) return broken("bad rounds or hash");
  unsigned char made[20];
  const int ok = PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()),
                                   reinterpret_cast<const unsigned char*>(parts[2].data()),
                                   static_cast<int>(parts[2].size()), static_cast<int>(*rounds), EVP_sha1(),
                                   sizeof made, made);
  if (ok != 1) return broken("PBKDF2 failed");
  return match_if(equal_constant_time({reinterpret_cast<char*>(made), sizeof made}, *expected));
}

// RFC 5802 section 3: StoredKey is the hash of the client's key. SASLprep is left out: it changes no ASCII password.
Verification verify_scram(const Scheme& scheme, std::string_view data, std::string_view password) {
  const auto verifier = ScramVerifier::parse(data);
  if (!verifier) return broken("not iterations,salt,key,key");
  const EVP_MD* hash = scheme.digest == DigestKind::Sha1 ? EVP_sha1() : EVP_sha256();
  const std::string salt = *base64_decode(verifier->salt), expected = *base64_decode(verifier->stored_key);
  unsigned char salted[EVP_MAX_MD_SIZE], client_key[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  const bool made =
      PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), reinterpret_cast<const unsigned char*>(salt.data()),
                        static_cast<int>(salt.size()), static_cast<int>(verifier->iterations), hash, EVP_MD_get_size(hash), salted) == 1 &&
      HMAC(hash, salted, EVP_MD_get_size(hash), reinterpret_cast<const unsigned char*>("Client Key"), 10, client_key, &size) != nullptr;
  secure_zero(salted, sizeof salted);
  if (!made) return broken("PBKDF2 failed");
  const std::string stored_key = digest(scheme.digest, {reinterpret_cast<char*>(client_key), size});
  secure_zero(client_key, sizeof client_key);
  return match_if(equal_constant_time(stored_key, expected));
}

#ifdef HAVE_SODIUM
Verification verify_argon2(const Scheme&, std::string_view data, std::string_view password) {
  static const int ready = sodium_init();
  if (ready < 0) return broken("libsodium failed to start");
  if (data.substr(0, 7) != "$argon2" || data.size() >= crypto_pwhash_STRBYTES) return broken("not an Argon2 hash");
  return match_if(crypto_pwhash_str_verify(std::string(data).c_str(), password.data(), password.size()) == 0);
}
#endif

constexpr Scheme kSchemes[] = {
    {.name = "PLAIN", .verify = verify_plain},
    {.name = "CLEAR", .verify = verify_plain},
    {.name = "CLEARTEXT", .verify = verify_plain},
    {.name = "CRYPT", .verify = verify_crypt, .slow = true},
    {.name = "MD5-CRYPT", .verify = verify_crypt, .slow = true},
    {.name = "SHA256-CRYPT", .verify = verify_crypt, .slow = true},
    {.name = "SHA512-CRYPT", .verify = verify_crypt, .slow = true},
    {.name = "BLF-CRYPT", .verify = verify_crypt, .slow = true},
#ifdef HAVE_SODIUM
    {.name = "ARGON2I", .verify = verify_argon2, .slow = true},
    {.name = "ARGON2ID", .verify = verify_argon2, .slow = true},
#endif
    {.name = "PBKDF2", .verify = verify_pbkdf2, .slow = true},
    {.name = "SCRAM-SHA-1", .verify = verify_scram, .slow = true, .digest = DigestKind::Sha1},
    {.name = "SCRAM-SHA-256", .verify = verify_scram, .slow = true, .digest = DigestKind::Sha256},
    {.name = "MD5", .verify = verify_md5, .slow = true},
    {.name = "SHA", .verify = verify_digest, .encoding = Encoding::Base64, .digest = DigestKind::Sha1},
    {.name = "SHA1", .verify = verify_digest, .encoding = Encoding::Base64, .digest = DigestKind::Sha1},
    {.name = "SHA256", .verify = verify_digest, .encoding = Encoding::Base64, .digest = DigestKind::Sha256},
    {.name = "SHA512", .verify = verify_digest, .encoding = Encoding::Base64, .digest = DigestKind::Sha512},
    {.name = "SMD5", .verify = verify_digest, .encoding = Encoding::Base64, .digest = DigestKind::Md5, .salted = true},
    {.name = "SSHA", .verify = verify_digest, .encoding = Encoding::Base64, .digest = DigestKind::Sha1, .salted = true},
    {.name = "SSHA256", .verify = verify_digest, .encoding = Encoding::Base64, .digest = DigestKind::Sha256, .salted = true},
    {.name = "SSHA512", .verify = verify_digest, .encoding = Encoding::Base64, .digest = DigestKind::Sha512, .salted = true},
    {.name = "PLAIN-MD5", .verify = verify_digest, .encoding = Encoding::Hex, .digest = DigestKind::Md5},
    {.name = "CRAM-MD5", .verify = verify_hmac_md5, .encoding = Encoding::Hex, .raw_size = kHmacMd5StatesSize},
    {.name = "HMAC-MD5", .verify = verify_hmac_md5, .encoding = Encoding::Hex, .raw_size = kHmacMd5StatesSize},
    {.name = "DIGEST-MD5", .verify = verify_digest, .encoding = Encoding::Hex, .digest = DigestKind::Md5, .with_name = true},
    {.name = "LDAP-MD5", .verify = verify_digest, .encoding = Encoding::Base64, .digest = DigestKind::Md5},
};

struct Suffix {
  std::string_view name;
  Encoding encoding;
};
constexpr Suffix kSuffixes[] = {{"b64", Encoding::Base64}, {"base64", Encoding::Base64}, {"hex", Encoding::Hex}};

// A stored password taken apart.
struct Stored {
  const Scheme* scheme = nullptr;     // null: unknown
  std::optional<Encoding> encoding;   // of the suffix; set to none by an unknown suffix together with scheme
  std::string_view name, data;
};

void set_scheme(Stored& out, std::string_view name) {
  out.name = name;
  const size_t dot = name.find('.');
  for (const Scheme& s : kSchemes)
    if (iequals(s.name, name.substr(0, dot))) out.scheme = &s;
  if (dot == std::string_view::npos) return;
  for (const Suffix& s : kSuffixes)
    if (iequals(s.name, name.substr(dot + 1))) out.encoding = s.encoding;
  if (!out.encoding) out.scheme = nullptr;
}

Stored parse(std::string_view stored, std::string_view default_scheme, bool literal) {
  Stored out;
  const size_t close = !literal && !stored.empty() && stored[0] == '{' ? stored.find('}') : std::string_view::npos;
  if (close == std::string_view::npos) {
    out.data = stored;
    set_scheme(out, default_scheme);
  } else {
    out.data = stored.substr(close + 1);
    set_scheme(out, stored.substr(1, close - 1));
  }
  return out;
}

// Data of fixed raw length N may be hex instead of its scheme's base64, and the other way round: told by the
// length (AUTH-26). Padding may be missing, as some tools leave it out.
std::optional<std::string> decode(const Stored& stored) {
  const Scheme& scheme = *stored.scheme;
  Encoding encoding = stored.encoding.value_or(scheme.encoding);
  if (!stored.encoding && !scheme.salted && scheme.encoding != Encoding::None)
    encoding = stored.data.size() == 2 * (scheme.raw_size != 0 ? scheme.raw_size : digest_size(scheme.digest)) ? Encoding::Hex : Encoding::Base64;
  if (encoding == Encoding::None) return std::string(stored.data);
  if (encoding == Encoding::Hex) return hex_decode(stored.data);
  std::string padded(stored.data);
  padded.append((4 - padded.size() % 4) % 4, '=');
  return base64_decode(padded);
}

SecretString with_user_and_realm(std::string_view user, std::string_view password) {
  const size_t at = user.find('@');
  SecretString out(user.substr(0, at));
  out.append(":");
  if (at != std::string_view::npos) out.append(user.substr(at + 1));
  out.append(":");
  out.append(password);
  return out;
}

}  // namespace

bool is_known_scheme(std::string_view name) {
  Stored s;
  set_scheme(s, name);
  return s.scheme != nullptr;
}

bool is_slow(std::string_view stored, std::string_view default_scheme, bool literal) {
  const Stored s = parse(stored, default_scheme, literal);
  return s.scheme != nullptr && s.scheme->slow;
}

Verification verify_password(std::string_view stored, std::string_view password, std::string_view default_scheme,
                             bool literal, std::string_view user) {
  const Stored s = parse(stored, default_scheme, literal);
  if (s.scheme == nullptr) return {VerifyResult::UnknownScheme, "Unknown scheme " + printable(s.name, 40)};
  if (password.find('\0') != std::string_view::npos) return match_if(false);
  std::optional<std::string> data = decode(s);
  if (!data) return broken("Invalid password in passdb: not encoded as " + std::string(s.scheme->name) + " wants");
  const SecretString named = s.scheme->with_name ? with_user_and_realm(user, password) : SecretString();
  Verification out = s.scheme->verify(*s.scheme, *data, s.scheme->with_name ? named.reveal() : password);
  if (out.result == VerifyResult::Broken)
    out.why = "Invalid password in passdb: " + std::string(s.scheme->name) + ": " + out.why;
  secure_zero(data->data(), data->size());
  return out;
}

Result<SaslSecret> secret_for_proof(std::string_view stored, std::string_view default_scheme, bool literal,
                                    std::string_view verifier, std::string_view wanted) {
  const Stored s = parse(stored, default_scheme, literal);
  const bool plain = s.scheme != nullptr && s.scheme->verify == verify_plain;
  const bool is_verifier = s.scheme != nullptr && !verifier.empty() && (s.scheme->name == verifier || (verifier == "CRAM-MD5" && s.scheme->name == "HMAC-MD5"));
  if (!plain && !is_verifier)
    return Error("Requested " + std::string(wanted) + " scheme, but we have only " + printable(s.name, 40));
  std::optional<std::string> data = decode(s);
  if (!data) return Error("Invalid password in passdb: not encoded as " + std::string(s.scheme->name) + " wants");
  SaslSecret out{!plain, SecretString(*data)};
  secure_zero(data->data(), data->size());
  return out;
}

SecretString with_scheme(std::string_view stored, std::string_view default_scheme, bool literal) {
  SecretString out;
  if (literal || stored.empty() || stored[0] != '{' || stored.find('}') == std::string_view::npos) {
    out.append("{");
    out.append(default_scheme);
    out.append("}");
  }
  out.append(stored);
  return out;
}

}  // namespace postern
