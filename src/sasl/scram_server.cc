// SCRAM-SHA-1 and SCRAM-SHA-256, with and without channel binding.
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <array>

#include "base/base64.h"
#include "base/check.h"
#include "base/text.h"
#include "sasl/gnu_sasl.h"
#include "sasl/proof_mechanisms.h"
#include "sasl/scram_verifier.h"

namespace postern {

namespace {

using Property = GnuExchange::Property;

constexpr SaslBad kBad{"invalid input"};
constexpr uint32_t kIterations = 4096;  // RFC 7677 section 4

bool has_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

const std::array<unsigned char, 32>& process_key() {
  static const auto key = [] {
    std::array<unsigned char, 32> made{};
    POSTERN_CHECK(RAND_bytes(made.data(), static_cast<int>(made.size())) == 1, "no random bytes");
    return made;
  }();
  return key;
}

// The same for the same user as long as this process lives: a salt that changed, or did not, would tell users who
// exist from those who don't. 20 bytes.
std::string salt_for(std::string_view mechanism, std::string_view user) {
  const std::string text = std::string(mechanism) + '\0' + std::string(user);
  unsigned char made[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), process_key().data(), static_cast<int>(process_key().size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), made, &size);
  return std::string(reinterpret_cast<char*>(made), 20);
}

struct Kind {
  const char* name;
  bool binds;  // -PLUS
};

class Scram final : public ServerMechanism {
 public:
  Scram(Kind kind, const SaslContext& context) : kind_(kind), offers_binding_(context.offers_binding) {
    if (!kind.binds) return;
    unique_ = base64_encode(context.tls_unique);
    exporter_ = base64_encode(context.tls_exporter);
  }

  SaslStep step(std::optional<SecretString> response) override {
    if (exchange_ != nullptr) return take_proof(response->reveal());
    if (!response) return SaslChallenge{};
    first_ = response->reveal();
    if (const auto wrong = wrong_binding()) return *wrong;
    return take_first();
  }

  SaslStep supply(const SaslSecret* secret) override {
    exchange_ = std::make_unique<GnuExchange>(kind_.name);
    set_bindings(*exchange_);
    exists_ = secret != nullptr;
    if (secret != nullptr && secret->verifier) set_verifier(secret->data.reveal());
    else set_password(secret == nullptr ? unknowable_password() : secret->data);
    std::string out;
    if (exchange_->step(first_, out) != GnuExchange::Result::More) return kBad;
    return SaslChallenge{std::move(out)};
  }

 private:
  // RFC 5802 section 6. A client who says "y" could bind and believes that we cannot: if we have offered to, somebody
  // between us took it out of the list.
  std::optional<SaslBad> wrong_binding() const {
    const char flag = first_.empty() ? '\0' : first_.front();
    if (!kind_.binds) {
      if (flag == 'p') return SaslBad{"channel binding without -PLUS"};
      if (flag == 'y' && offers_binding_)
        return SaslBad{"the client was not shown that we offer channel binding: somebody changes what is said"};
      return std::nullopt;
    }
    const std::string_view type = std::string_view(first_).substr(0, first_.find(','));
    const bool known = (type == "p=tls-unique" && !unique_.empty()) || (type == "p=tls-exporter" && !exporter_.empty());
    return known ? std::nullopt
                 : std::optional(SaslBad{"no channel binding, or of a type that this connection does not have"});
  }

  void set_bindings(GnuExchange& exchange) const {
    if (!unique_.empty()) exchange.set(Property::TlsUnique, unique_);
    if (!exporter_.empty()) exchange.set(Property::TlsExporter, exporter_);
  }

  // The library makes its answer from salt and name at once, but the salt comes from a database: one exchange only
  // reads the name, another one goes on when the salt is known.
  SaslStep take_first() {
    GnuExchange reader(kind_.name);
    set_bindings(reader);
    std::string unused;
    if (first_.empty() || has_nul(first_) || reader.step(first_, unused) != GnuExchange::Result::More) return kBad;
    user_ = reader.text(Property::AuthcId);
    return SaslClaim{reader.text(Property::AuthzId), user_};
  }

  SaslStep take_proof(std::string_view proof) {
    std::string out;
    if (has_nul(proof) || exchange_->step(proof, out) != GnuExchange::Result::Done || !exists_) return SaslDisproven{};
    return SaslProven{std::move(out)};
  }

  void set_password(const SecretString& password) {
    exchange_->set(Property::ScramIterations, std::to_string(kIterations));
    exchange_->set(Property::ScramSalt, base64_encode(salt_for(kind_.name, user_)));
    exchange_->set(Property::Password, password.reveal());
  }

  void set_verifier(std::string_view data) {
    const auto verifier = ScramVerifier::parse(data);
    if (!verifier) {
      exists_ = false;
      return set_password(unknowable_password());
    }
    exchange_->set(Property::ScramIterations, std::to_string(verifier->iterations));
    exchange_->set(Property::ScramSalt, verifier->salt);
    exchange_->set(Property::ScramStoredKey, verifier->stored_key);
    exchange_->set(Property::ScramServerKey, verifier->server_key);
  }

  const Kind kind_;
  const bool offers_binding_;
  std::string unique_, exporter_;  // in base64; -PLUS only
  std::unique_ptr<GnuExchange> exchange_;
  std::string first_, user_;
  bool exists_ = false;
};

std::unique_ptr<ServerMechanism> make(Kind kind, const SaslContext& context) {
  return std::make_unique<Scram>(kind, context);
}

}  // namespace

std::unique_ptr<ServerMechanism> make_scram_sha_1(const SaslContext& context) {
  return make({"SCRAM-SHA-1", false}, context);
}
std::unique_ptr<ServerMechanism> make_scram_sha_1_plus(const SaslContext& context) {
  return make({"SCRAM-SHA-1-PLUS", true}, context);
}
std::unique_ptr<ServerMechanism> make_scram_sha_256(const SaslContext& context) {
  return make({"SCRAM-SHA-256", false}, context);
}
std::unique_ptr<ServerMechanism> make_scram_sha_256_plus(const SaslContext& context) {
  return make({"SCRAM-SHA-256-PLUS", true}, context);
}

}  // namespace postern
