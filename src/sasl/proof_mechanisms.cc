// CRAM-MD5, DIGEST-MD5 and APOP; SCRAM is in scram_server.cc.
#include "sasl/proof_mechanisms.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <utility>

#include "base/base64.h"
#include "base/check.h"
#include "base/text.h"
#include "sasl/gnu_sasl.h"
#include "sasl/hmac_md5.h"

namespace postern {

namespace {

using Property = GnuExchange::Property;
using Result = GnuExchange::Result;

constexpr SaslBad kBad{"invalid input"};

bool has_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

std::string hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    out += kDigits[static_cast<unsigned char>(c) >> 4];
    out += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

SaslStep verdict(bool right) { return right ? SaslStep(SaslProven{}) : SaslStep(SaslDisproven{}); }

// --- CRAM-MD5 ------------------------------------------------------------------------

// The server speaks first, so what came with the command says nothing.
class CramMd5 final : public ServerMechanism {
 public:
  SaslStep step(std::optional<SecretString> response) override {
    if (challenge_.empty()) {
      if (exchange_.step({}, challenge_) != Result::More) return SaslBad{"no challenge could be made"};
      return SaslChallenge{challenge_};
    }
    response_ = std::move(*response);
    if (response_.empty() || has_nul(response_.reveal())) return kBad;
    std::string nothing;
    // Without a password the library takes the name out and stops there; asked again with one, it goes on.
    if (exchange_.step(response_.reveal(), nothing) != Result::NoPassword) return kBad;
    return SaslClaim{{}, exchange_.text(Property::AuthcId), SaslDigest{challenge_, SecretString(told())}};
  }

  SaslStep supply(const SaslSecret* secret) override {
    if (secret != nullptr && secret->verifier) return verdict(proves(secret->data.reveal()));
    const SecretString password = secret == nullptr ? unknowable_password() : secret->data;
    exchange_.set(Property::Password, password.reveal());
    std::string nothing;
    return verdict(exchange_.step(response_.reveal(), nothing) == Result::Done && secret != nullptr);
  }

 private:
  // The library wants a password; what is stored is HMAC-MD5 with the password in it already.
  bool proves(std::string_view states) const {
    const std::string expected = hex(hmac_md5(states, challenge_));
    return !expected.empty() && equal_constant_time(expected, told());
  }

  std::string told() const { return to_lower(response_.reveal().substr(response_.reveal().rfind(' ') + 1)); }

  GnuExchange exchange_{"CRAM-MD5"};
  std::string challenge_;
  SecretString response_;
};

// --- DIGEST-MD5 ----------------------------------------------------------------------

class DigestMd5 final : public ServerMechanism {
 public:
  explicit DigestMd5(const SaslContext& context) : realms_(context.realms) {
    exchange_.set(Property::Qops, "qop-auth");
  }

  SaslStep step(std::optional<SecretString> response) override {
    if (!std::exchange(asked_, true)) return ask();
    response_ = std::move(*response);
    const auto names = has_nul(response_.reveal()) ? std::nullopt : read_digest_md5_names(response_.reveal());
    if (!names || names->user.empty()) return kBad;
    names_ = *names;
    if (!realms_.empty() && !names_.realm.empty() &&
        std::find(realms_.begin(), realms_.end(), names_.realm) == realms_.end())
      return SaslBad{"a realm that was not offered"};
    const bool has_domain = names_.realm.empty() || names_.user.find('@') != std::string::npos;
    return SaslClaim{{}, has_domain ? names_.user : names_.user + "@" + names_.realm};
  }

  // The library has to be told the secret before it reads the response (asked twice, it forgets to free what it read),
  // so the names were read here; what it has read must be the same.
  SaslStep supply(const SaslSecret* secret) override {
    if (secret != nullptr && secret->verifier) exchange_.set(Property::DigestMd5Hash, hex(secret->data.reveal()));
    else exchange_.set(Property::Password, (secret == nullptr ? unknowable_password() : secret->data).reveal());
    std::string last_word;
    const bool right = exchange_.step(response_.reveal(), last_word) == Result::Done &&
                       exchange_.text(Property::AuthcId) == names_.user &&
                       exchange_.text(Property::Realm) == names_.realm && acts_for_himself();
    if (!right || secret == nullptr) return SaslDisproven{};
    return SaslProven{std::move(last_word)};
  }

 private:
  // The library knows of one realm at most: the others are ours to list.
  SaslStep ask() {
    std::string challenge;
    if (exchange_.step({}, challenge) != Result::More) return SaslBad{"no challenge could be made"};
    std::string list;
    for (const std::string& realm : realms_) list += "realm=\"" + realm + "\",";
    return SaslChallenge{list + challenge};
  }

  // Masters log in with a mechanism that sends the password.
  bool acts_for_himself() const {
    const std::string authzid = exchange_.text(Property::AuthzId);
    return authzid.empty() || authzid == names_.user || authzid == names_.user + "@" + names_.realm;
  }

  GnuExchange exchange_{"DIGEST-MD5"};
  const std::vector<std::string> realms_;
  bool asked_ = false;
  SecretString response_;
  DigestMd5Names names_;
};

// One NAME=VALUE of a list; the value with its quotes and backslashes taken off. Nothing at a syntax error.
struct Directive {
  std::string_view name;
  std::string value;
};
constexpr std::string_view kBetween = ", \t\r\n";

std::optional<std::string> take_quoted(std::string_view& rest) {
  std::string out;
  for (size_t i = 1; i < rest.size(); ++i) {
    if (rest[i] == '"') {
      rest.remove_prefix(i + 1);
      return out;
    }
    if (rest[i] == '\\' && ++i == rest.size()) break;
    out += rest[i];
  }
  return std::nullopt;
}

std::optional<Directive> take_directive(std::string_view& rest) {
  const size_t equal = rest.find('=');
  if (equal == std::string_view::npos) return std::nullopt;
  Directive out{trim(rest.substr(0, equal)), {}};
  rest.remove_prefix(equal + 1);
  if (rest.starts_with('"')) {
    auto value = take_quoted(rest);
    if (!value) return std::nullopt;
    out.value = std::move(*value);
  } else {
    const size_t end = std::min(rest.find_first_of(kBetween), rest.size());
    out.value = rest.substr(0, end);
    rest.remove_prefix(end);
  }
  return out;
}

// --- APOP ----------------------------------------------------------------------------

// The front brings all of it at once: challenge, name and digest, with NUL between them.
class Apop final : public ServerMechanism {
 public:
  SaslStep step(std::optional<SecretString> response) override {
    const auto parts = split_fields(response ? response->reveal() : std::string_view(), '\0');
    if (parts.size() != 3 || parts[1].empty() || parts[2].size() != 32) return kBad;
    challenge_ = parts[0];
    digest_ = to_lower(parts[2]);
    return SaslClaim{{}, std::string(parts[1]), SaslDigest{challenge_, SecretString(digest_)}};
  }

  SaslStep supply(const SaslSecret* secret) override {
    SecretString text(challenge_);
    text.append((secret == nullptr ? unknowable_password() : secret->data).reveal());
    unsigned char made[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    const bool done = EVP_Digest(text.reveal().data(), text.size(), made, &size, EVP_md5(), nullptr) == 1;
    const bool equal = done && equal_constant_time(hex({reinterpret_cast<char*>(made), size}), digest_);
    return verdict(equal && secret != nullptr && !secret->verifier);
  }

 private:
  std::string challenge_, digest_;
};

}  // namespace

std::optional<DigestMd5Names> read_digest_md5_names(std::string_view rest) {
  std::optional<std::string> user, realm;
  for (;;) {
    rest.remove_prefix(std::min(rest.find_first_not_of(kBetween), rest.size()));
    if (rest.empty()) break;
    auto directive = take_directive(rest);
    if (!directive) return std::nullopt;
    std::optional<std::string>* known = iequals(directive->name, "username") ? &user
                                        : iequals(directive->name, "realm")  ? &realm
                                                                             : nullptr;
    if (known == nullptr) continue;
    if (*known) return std::nullopt;  // once each
    *known = std::move(directive->value);
  }
  if (!user) return std::nullopt;
  return DigestMd5Names{std::move(*user), realm.value_or("")};
}

SecretString unknowable_password() {
  unsigned char bytes[24];
  POSTERN_CHECK(RAND_bytes(bytes, sizeof bytes) == 1, "no random bytes");
  return SecretString(base64_encode({reinterpret_cast<char*>(bytes), sizeof bytes}));
}

std::unique_ptr<ServerMechanism> make_cram_md5() { return std::make_unique<CramMd5>(); }
std::unique_ptr<ServerMechanism> make_digest_md5(const SaslContext& context) {
  return std::make_unique<DigestMd5>(context);
}
std::unique_ptr<ServerMechanism> make_apop() { return std::make_unique<Apop>(); }

}  // namespace postern
