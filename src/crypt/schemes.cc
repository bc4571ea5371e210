#include "crypt/schemes.h"

#include "config.h"

#include <optional>

#include "base/base64.h"
#include "base/secret.h"
#include "base/text.h"
#include "crypt/scheme.h"

namespace postern {

namespace {

constexpr Encoding kHex = Encoding::Hex, kBase64 = Encoding::Base64;

// AUTH-26. OTP and SKEY are of mechanisms that there are not.
// clang-format off
constexpr Scheme kSchemes[] = {
    {.name = "PLAIN", .verify = verify_made, .make = make_plain},
    {.name = "CLEAR", .verify = verify_made, .make = make_plain},
    {.name = "CLEARTEXT", .verify = verify_made, .make = make_plain},
    {.name = "PLAIN-TRUNC", .verify = verify_truncated, .make = make_truncated},
    {.name = "CRYPT", .verify = verify_crypt, .make = make_blowfish, .slow = true},
    {.name = "DES-CRYPT", .verify = verify_crypt, .make = make_des_crypt, .slow = true, .weak = true},
    {.name = "MD5-CRYPT", .verify = verify_crypt, .make = make_md5_crypt, .slow = true, .weak = true},
    {.name = "SHA256-CRYPT", .verify = verify_crypt, .make = make_sha256_crypt, .slow = true},
    {.name = "SHA512-CRYPT", .verify = verify_crypt, .make = make_sha512_crypt, .slow = true},
    {.name = "BLF-CRYPT", .verify = verify_crypt, .make = make_blowfish, .slow = true},
#ifdef HAVE_SODIUM
    {.name = "ARGON2I", .verify = verify_argon2, .make = make_argon2i, .slow = true},
    {.name = "ARGON2ID", .verify = verify_argon2, .make = make_argon2id, .slow = true},
#endif
    {.name = "PBKDF2", .verify = verify_pbkdf2, .make = make_pbkdf2, .slow = true},
    {.name = "SCRAM-SHA-1", .verify = verify_scram, .make = make_scram,
     .digest = DigestKind::Sha1, .slow = true, .proof = "SCRAM-SHA-1"},
    {.name = "SCRAM-SHA-256", .verify = verify_scram, .make = make_scram,
     .digest = DigestKind::Sha256, .slow = true, .proof = "SCRAM-SHA-256"},
    {.name = "CRAM-MD5", .verify = verify_made, .make = make_cram_md5,
     .encoding = kHex, .size = 32, .weak = true, .proof = "CRAM-MD5"},
    {.name = "HMAC-MD5", .verify = verify_made, .make = make_cram_md5,
     .encoding = kHex, .size = 32, .weak = true, .proof = "CRAM-MD5"},
    {.name = "DIGEST-MD5", .verify = verify_made, .make = make_digest_md5,
     .encoding = kHex, .size = 16, .proof = "DIGEST-MD5"},
    {.name = "MD5", .verify = verify_md5, .make = make_md5_crypt, .slow = true, .weak = true},
    {.name = "SHA", .verify = verify_made, .make = make_digest,
     .encoding = kBase64, .size = 20, .digest = DigestKind::Sha1},
    {.name = "SHA1", .verify = verify_made, .make = make_digest,
     .encoding = kBase64, .size = 20, .digest = DigestKind::Sha1},
    {.name = "SHA256", .verify = verify_made, .make = make_digest,
     .encoding = kBase64, .size = 32, .digest = DigestKind::Sha256},
    {.name = "SHA512", .verify = verify_made, .make = make_digest,
     .encoding = kBase64, .size = 64, .digest = DigestKind::Sha512},
    {.name = "SMD5", .verify = verify_salted, .make = make_salted,
     .encoding = kBase64, .digest = DigestKind::Md5, .weak = true},
    {.name = "SSHA", .verify = verify_salted, .make = make_salted, .encoding = kBase64, .digest = DigestKind::Sha1},
    {.name = "SSHA256", .verify = verify_salted, .make = make_salted,
     .encoding = kBase64, .digest = DigestKind::Sha256},
    {.name = "SSHA512", .verify = verify_salted, .make = make_salted,
     .encoding = kBase64, .digest = DigestKind::Sha512},
    {.name = "PLAIN-MD4", .verify = verify_made, .make = make_digest,
     .encoding = kHex, .size = 16, .digest = DigestKind::Md4, .weak = true},
    {.name = "PLAIN-MD5", .verify = verify_made, .make = make_digest,
     .encoding = kHex, .size = 16, .digest = DigestKind::Md5, .weak = true},
    {.name = "LDAP-MD5", .verify = verify_made, .make = make_digest,
     .encoding = kBase64, .size = 16, .digest = DigestKind::Md5, .weak = true},
};
// clang-format on

struct Suffix {
  std::string_view name;
  Encoding encoding;
};
constexpr Suffix kSuffixes[] = {{"b64", Encoding::Base64}, {"base64", Encoding::Base64}, {"hex", Encoding::Hex}};

// A stored password taken apart.
struct Stored {
  const Scheme* scheme = nullptr;    // null: unknown
  std::optional<Encoding> encoding;  // of the suffix; set to none by an unknown suffix together with scheme
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
  if (!stored.encoding && scheme.size != 0)
    encoding = stored.data.size() == 2 * scheme.size ? Encoding::Hex : Encoding::Base64;
  if (encoding == Encoding::None) return std::string(stored.data);
  if (encoding == Encoding::Hex) return hex_decode(stored.data);
  std::string padded(stored.data);
  padded.append((4 - padded.size() % 4) % 4, '=');
  return base64_decode(padded);
}

std::string encode(std::string_view data, Encoding encoding) {
  return encoding == Encoding::Hex      ? hex_encode(data)
         : encoding == Encoding::Base64 ? base64_encode(data)
                                        : std::string(data);
}

constexpr std::string_view kInvalid = "Invalid password in passdb: ";

std::string not_decodable(const Scheme& scheme) { return "not encoded as " + std::string(scheme.name) + " wants"; }

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

bool is_weak(std::string_view stored, std::string_view default_scheme, bool literal) {
  const Stored s = parse(stored, default_scheme, literal);
  if (s.scheme == nullptr || s.scheme->verify != verify_crypt || s.scheme->weak)
    return s.scheme != nullptr && s.scheme->weak;
  const auto data = decode(s);
  return data && is_weak_crypt(*data);
}

std::vector<std::string_view> scheme_names() {
  std::vector<std::string_view> out;
  for (const Scheme& s : kSchemes) out.push_back(s.name);
  return out;
}

Verification check_password(std::string_view stored, std::string_view password, std::string_view default_scheme,
                            bool literal, std::string_view user) {
  const Stored s = parse(stored, default_scheme, literal);
  if (s.scheme == nullptr) return {VerifyResult::UnknownScheme, "Unknown scheme " + printable(s.name, 40)};
  if (password.find('\0') != std::string_view::npos) return match_if(false);
  std::optional<std::string> data = decode(s);
  if (!data) return broken(not_decodable(*s.scheme));
  Verification out = s.scheme->verify(*s.scheme, *data, {password, user});
  if (out.result == VerifyResult::Broken) out.why = std::string(s.scheme->name) + ": " + out.why;
  secure_zero(data->data(), data->size());
  return out;
}

Verification verify_password(std::string_view stored, std::string_view password, std::string_view default_scheme,
                             bool literal, std::string_view user) {
  Verification out = check_password(stored, password, default_scheme, literal, user);
  if (out.result == VerifyResult::Broken) out.why = std::string(kInvalid) + out.why;
  return out;
}

Result<SecretString> make_password(std::string_view scheme, const PasswordInput& input) {
  Stored s;
  set_scheme(s, scheme);
  if (s.scheme == nullptr) return Error("Unknown scheme: " + printable(scheme, 40));
  if (input.password.find('\0') != std::string_view::npos) return Error("a password has no NUL");
  Result<std::string> data = s.scheme->make(*s.scheme, input);
  if (!data) return Error(std::string(s.scheme->name) + ": " + data.error());
  std::string text = encode(*data, s.encoding.value_or(s.scheme->encoding));
  SecretString out('{' + to_upper(scheme) + '}');
  out.append(text);
  secure_zero(data->data(), data->size());
  secure_zero(text.data(), text.size());
  return out;
}

Result<SaslSecret> secret_for_proof(std::string_view stored, std::string_view default_scheme, bool literal,
                                    std::string_view verifier, std::string_view wanted) {
  const Stored s = parse(stored, default_scheme, literal);
  const bool plain = s.scheme != nullptr && s.scheme->make == make_plain;
  if (!plain && (s.scheme == nullptr || verifier.empty() || s.scheme->proof != verifier))
    return Error("Requested " + std::string(wanted) + " scheme, but we have only " + printable(s.name, 40));
  std::optional<std::string> data = decode(s);
  if (!data) return Error(std::string(kInvalid) + not_decodable(*s.scheme));
  if (s.scheme->size != 0 && data->size() != s.scheme->size)
    return Error(std::string(kInvalid) + std::string(s.scheme->name) + ": wrong length");
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
