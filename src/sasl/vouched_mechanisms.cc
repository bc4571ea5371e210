#include "sasl/vouched_mechanisms.h"

#include <utility>

#include "base/text.h"
#include "sasl/gnu_sasl.h"

namespace postern {

namespace {

using Property = GnuExchange::Property;
using Result = GnuExchange::Result;

constexpr SaslBad kBad{"invalid input"};
constexpr size_t kLongestTrace = 255;  // RFC 4505 section 3

bool has_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

// The response names whom he wants to act as; nobody: himself.
class External final : public ServerMechanism {
 public:
  explicit External(const SaslContext& context) : valid_(context.certificate_valid), name_(context.certificate_name) {}

  SaslStep step(std::optional<SecretString> response) override {
    if (!valid_) return SaslBad{"no valid client certificate"};
    if (name_.empty()) return SaslBad{"the client certificate has no user name (ssl_cert_username_field)"};
    if (!response) return SaslChallenge{};
    if (has_nul(response->reveal())) return kBad;
    std::string authzid(response->reveal());
    if (authzid == name_) authzid.clear();
    return SaslVouched{std::move(authzid), name_};
  }

 private:
  const bool valid_;
  const std::string name_;
};

class Gssapi final : public ServerMechanism {
 public:
  explicit Gssapi(const SaslContext& context) : default_realm_(context.default_realm) {
    exchange_.set(Property::Service, context.service);
    exchange_.set(Property::Hostname, context.hostname);
  }

  SaslStep step(std::optional<SecretString> response) override {
    if (!response) return SaslChallenge{};
    std::string out;
    const Result result = exchange_.step(response->reveal(), out);
    if (result == Result::More) return SaslChallenge{std::move(out)};
    return result == Result::Done
               ? accepted()
               : SaslStep(SaslBad{"the Kerberos ticket was not accepted (auth_krb5_keytab, auth_gssapi_hostname?)"});
  }

 private:
  SaslStep accepted() const {
    const std::string principal = exchange_.text(Property::Principal);
    std::string wanted = exchange_.text(Property::AuthzId);
    if (principal.empty() || has_nul(wanted)) return kBad;
    if (wanted.empty() || wanted == principal) return SaslVouched{{}, principal};
    if (is_principal_of(principal, wanted, default_realm_)) return SaslVouched{{}, std::move(wanted)};
    return SaslVouched{std::move(wanted), principal};
  }

  const std::string default_realm_;
  GnuExchange exchange_{"GSSAPI"};
};

// What he says of himself is for a log at most.
class Anonymous final : public ServerMechanism {
 public:
  explicit Anonymous(const SaslContext& context) : user_(context.anonymous) {}

  SaslStep step(std::optional<SecretString> response) override {
    if (!response) return SaslChallenge{};
    if (response->size() > kLongestTrace) return kBad;
    return SaslVouched{{}, user_};
  }

 private:
  const std::string user_;
};

}  // namespace

bool is_principal_of(std::string_view name, std::string_view wanted, std::string_view default_realm) {
  const size_t at = name.rfind('@');
  if (name == wanted) return true;
  return at != std::string_view::npos && name.substr(0, at) == wanted && !default_realm.empty() &&
         iequals(name.substr(at + 1), default_realm);
}

std::unique_ptr<ServerMechanism> make_external(const SaslContext& context) {
  return std::make_unique<External>(context);
}
std::unique_ptr<ServerMechanism> make_gssapi(const SaslContext& context) { return std::make_unique<Gssapi>(context); }
std::unique_ptr<ServerMechanism> make_anonymous(const SaslContext& context) {
  return std::make_unique<Anonymous>(context);
}

}  // namespace postern
