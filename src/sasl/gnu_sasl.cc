#include "sasl/gnu_sasl.h"

#include <gsasl.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <array>
#include <string>

#include "base/base64.h"
#include "base/check.h"
#include "sasl/scram_verifier.h"

namespace postern {

namespace {

constexpr SaslBad kBad{"invalid input"};
constexpr uint32_t kIterations = 4096;  // RFC 7677 section 4

Gsasl* library() {
  static Gsasl* const handle = [] {
    Gsasl* made = nullptr;
    POSTERN_CHECK(gsasl_init(&made) == GSASL_OK, "GNU SASL failed to start");
    return made;
  }();
  return handle;
}

// One exchange of GNU SASL's. Properties are text without NUL.
class Exchange {
 public:
  explicit Exchange(const char* mechanism) {
    if (gsasl_server_start(library(), mechanism, &session_) != GSASL_OK) session_ = nullptr;
  }
  ~Exchange() {
    if (session_ == nullptr) return;
    for (const Gsasl_property p : {GSASL_PASSWORD, GSASL_SCRAM_STOREDKEY, GSASL_SCRAM_SERVERKEY}) wipe(p);
    gsasl_finish(session_);
  }
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  int step(std::string_view input, std::string& output) {
    if (session_ == nullptr) return GSASL_UNKNOWN_MECHANISM;
    char* text = nullptr;
    size_t size = 0;
    const int code = gsasl_step(session_, input.data(), input.size(), &text, &size);
    if (text != nullptr) output.assign(text, size);
    gsasl_free(text);
    return code;
  }
  void set(Gsasl_property property, std::string_view value) {
    if (session_ != nullptr) gsasl_property_set_raw(session_, property, value.data(), value.size());
  }
  std::string text(Gsasl_property property) const {
    const char* value = session_ == nullptr ? nullptr : gsasl_property_fast(session_, property);
    return value == nullptr ? std::string() : value;
  }

 private:
  // The library frees its copy of a secret without overwriting it.
  void wipe(Gsasl_property property) {
    const char* value = gsasl_property_fast(session_, property);
    if (value != nullptr) secure_zero(const_cast<char*>(value), std::char_traits<char>::length(value));
  }

  Gsasl_session* session_ = nullptr;
};

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

// What nobody can know, so that no proof is right.
SecretString random_password() {
  unsigned char bytes[24];
  POSTERN_CHECK(RAND_bytes(bytes, sizeof bytes) == 1, "no random bytes");
  return SecretString(base64_encode({reinterpret_cast<char*>(bytes), sizeof bytes}));
}

// The server speaks first, so what came with the command says nothing.
class CramMd5 final : public ServerMechanism {
 public:
  SaslStep step(std::optional<SecretString> response) override {
    if (challenge_.empty()) {
      if (exchange_.step({}, challenge_) != GSASL_NEEDS_MORE) return SaslBad{"no challenge could be made"};
      return SaslChallenge{challenge_};
    }
    response_ = std::move(*response);
    if (response_.empty() || has_nul(response_.reveal())) return kBad;
    std::string nothing;
    // Without a password the library takes the name out and stops there; asked again with one, it goes on.
    if (exchange_.step(response_.reveal(), nothing) != GSASL_NO_PASSWORD) return kBad;
    return SaslClaim{{}, exchange_.text(GSASL_AUTHID)};
  }

  SaslStep supply(const SaslSecret* secret) override {
    const SecretString password = secret == nullptr ? random_password() : secret->data;
    exchange_.set(GSASL_PASSWORD, password.reveal());
    std::string nothing;
    const bool right = exchange_.step(response_.reveal(), nothing) == GSASL_OK && secret != nullptr;
    return right ? SaslStep(SaslProven{}) : SaslStep(SaslDisproven{});
  }

 private:
  Exchange exchange_{"CRAM-MD5"};
  std::string challenge_;
  SecretString response_;
};

class Scram final : public ServerMechanism {
 public:
  explicit Scram(const char* name) : name_(name) {}

  SaslStep step(std::optional<SecretString> response) override {
    if (exchange_ != nullptr) return take_proof(response->reveal());
    if (!response) return SaslChallenge{};
    first_ = response->reveal();
    return take_first();
  }

  SaslStep supply(const SaslSecret* secret) override {
    exchange_ = std::make_unique<Exchange>(name_);
    exists_ = secret != nullptr;
    if (secret != nullptr && secret->verifier)
      set_verifier(secret->data.reveal());
    else
      set_password(secret == nullptr ? random_password() : secret->data);
    std::string out;
    if (exchange_->step(first_, out) != GSASL_NEEDS_MORE) return kBad;
    return SaslChallenge{std::move(out)};
  }

 private:
  // The library makes its answer from salt and name at once, but the salt comes from a database: one exchange only
  // reads the name, another one goes on when the salt is known.
  SaslStep take_first() {
    Exchange reader(name_);
    std::string unused;
    const bool binds = first_.starts_with('p');  // wants channel binding, which only the -PLUS mechanisms have
    if (first_.empty() || binds || has_nul(first_) || reader.step(first_, unused) != GSASL_NEEDS_MORE) return kBad;
    user_ = reader.text(GSASL_AUTHID);
    return SaslClaim{reader.text(GSASL_AUTHZID), user_};
  }

  SaslStep take_proof(std::string_view proof) {
    std::string out;
    if (has_nul(proof) || exchange_->step(proof, out) != GSASL_OK || !exists_) return SaslDisproven{};
    return SaslProven{std::move(out)};
  }

  void set_password(const SecretString& password) {
    exchange_->set(GSASL_SCRAM_ITER, std::to_string(kIterations));
    exchange_->set(GSASL_SCRAM_SALT, base64_encode(salt_for(name_, user_)));
    exchange_->set(GSASL_PASSWORD, password.reveal());
  }

  void set_verifier(std::string_view data) {
    const auto verifier = ScramVerifier::parse(data);
    if (!verifier) {
      exists_ = false;
      return set_password(random_password());
    }
    exchange_->set(GSASL_SCRAM_ITER, std::to_string(verifier->iterations));
    exchange_->set(GSASL_SCRAM_SALT, verifier->salt);
    exchange_->set(GSASL_SCRAM_STOREDKEY, verifier->stored_key);
    exchange_->set(GSASL_SCRAM_SERVERKEY, verifier->server_key);
  }

  const char* name_;
  std::unique_ptr<Exchange> exchange_;
  std::string first_, user_;
  bool exists_ = false;
};

}  // namespace

std::unique_ptr<ServerMechanism> make_cram_md5() { return std::make_unique<CramMd5>(); }
std::unique_ptr<ServerMechanism> make_scram_sha_1() { return std::make_unique<Scram>("SCRAM-SHA-1"); }
std::unique_ptr<ServerMechanism> make_scram_sha_256() { return std::make_unique<Scram>("SCRAM-SHA-256"); }

}  // namespace postern
