// What the system's crypt() makes.
#include "config.h"

#include <crypt.h>

#include <cstdio>
#include <memory>

#include "base/secret.h"
#include "crypt/scheme.h"

namespace postern {

namespace {

// How a setting for crypt() is written: prefix, perhaps the rounds, and salt.
struct CryptStyle {
  const char* prefix;
  size_t salt_size;
  const char* rounds_format = nullptr;  // null: they cannot be chosen
  uint32_t usual_rounds = 0, least_rounds = 0, most_rounds = 0;
  bool usual_is_unwritten = false;
};
constexpr CryptStyle kDes{"", 2};
constexpr CryptStyle kMd5{"$1$", 8};
constexpr CryptStyle kSha256{"$5$", 16, "rounds=%u$", 5000, 1000, 999'999'999, true};
constexpr CryptStyle kSha512{"$6$", 16, "rounds=%u$", 5000, 1000, 999'999'999, true};
constexpr CryptStyle kBlowfish{"$2y$", 22, "%02u$", 5, 4, 31, false};

// Empty when crypt() does not like `setting`.
std::string run_crypt(const std::string& setting, std::string_view password) {
  const SecretString phrase(std::string(password).append(1, '\0'));
  auto work = std::make_unique<crypt_data>();
  const char* made = crypt_r(phrase.reveal().data(), setting.c_str(), work.get());
  std::string out = made == nullptr || made[0] == '*' ? std::string() : std::string(made);
  secure_zero(work.get(), sizeof *work);
  return out;
}

std::string new_setting(const CryptStyle& style, uint32_t wanted) {
  std::string out = style.prefix, salt = random_salt(style.salt_size);
  if (salt.empty()) return salt;
  const uint32_t rounds = rounds_within(wanted, style.usual_rounds, style.least_rounds, style.most_rounds);
  if (style.rounds_format != nullptr && !(style.usual_is_unwritten && wanted == 0)) {
    char text[32];
    ::snprintf(text, sizeof text, style.rounds_format, rounds);
    out += text;
  }
  // The last of 22 characters holds four of bcrypt's 128 bits: "." is zeros.
  if (style.salt_size == kBlowfish.salt_size) salt.back() = '.';
  return out + salt;
}

Result<std::string> make_crypt(const CryptStyle& style, const PasswordInput& input) {
  if (input.password.size() > CRYPT_MAX_PASSPHRASE_SIZE) return Error("the password is too long");
  const std::string setting = new_setting(style, input.rounds);
  std::string made = setting.empty() && style.salt_size > 0 ? std::string() : run_crypt(setting, input.password);
  if (made.empty()) return Error("crypt() does not make this scheme here");
  return made;
}

}  // namespace

bool is_weak_crypt(std::string_view data) { return data.empty() || data[0] != '$' || data.substr(0, 3) == "$1$"; }

Verification verify_crypt(const Scheme&, std::string_view data, const PasswordInput& input) {
  // Nothing that crypt() makes is shorter than a DES hash.
  if (data.size() < 13 || data[0] == '*') return broken("not a hash that crypt() makes");
  if (input.password.size() > CRYPT_MAX_PASSPHRASE_SIZE) return match_if(false);
  const std::string made = run_crypt(std::string(data), input.password);
  return made.empty() ? broken("crypt() does not know this hash") : match_if(equal_constant_time(made, data));
}

// MD5 stands for $1$ hashes and for plain hex.
Verification verify_md5(const Scheme& scheme, std::string_view data, const PasswordInput& input) {
  if (data.substr(0, 3) == "$1$") return verify_crypt(scheme, data, input);
  const auto raw = hex_decode(data);
  if (!raw || raw->size() != digest_size(DigestKind::Md5)) return broken("neither $1$ nor 32 hex digits");
  const std::string made = digest(DigestKind::Md5, input.password);
  return made.empty() ? broken("digest not available") : match_if(equal_constant_time(made, *raw));
}

Result<std::string> make_des_crypt(const Scheme&, const PasswordInput& input) { return make_crypt(kDes, input); }
Result<std::string> make_md5_crypt(const Scheme&, const PasswordInput& input) { return make_crypt(kMd5, input); }
Result<std::string> make_sha256_crypt(const Scheme&, const PasswordInput& input) { return make_crypt(kSha256, input); }
Result<std::string> make_sha512_crypt(const Scheme&, const PasswordInput& input) { return make_crypt(kSha512, input); }
Result<std::string> make_blowfish(const Scheme&, const PasswordInput& input) { return make_crypt(kBlowfish, input); }

}  // namespace postern
