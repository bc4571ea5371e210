#include "sasl/password_mechanisms.h"

#include <string_view>
#include <utility>

namespace postern {

namespace {

// authzid NUL authcid NUL password, and no further NUL.
SaslStep parse_plain(std::string_view message) {
  const size_t first = message.find('\0');
  const size_t second = first == std::string_view::npos ? first : message.find('\0', first + 1);
  if (second == std::string_view::npos) return SaslBad{"invalid input"};
  const std::string_view password = message.substr(second + 1);
  if (password.find('\0') != std::string_view::npos) return SaslBad{"invalid input"};
  SaslPassword out{std::string(message.substr(0, first)), std::string(message.substr(first + 1, second - first - 1)),
                   SecretString(password)};
  if (out.authzid == out.authcid) out.authzid.clear();
  return out;
}

class Plain final : public ServerMechanism {
 public:
  SaslStep step(std::optional<SecretString> response) override {
    if (!response) return SaslChallenge{};
    return parse_plain(response->reveal());
  }
};

// An empty initial response is how some clients say "none": it is no user name.
class Login final : public ServerMechanism {
 public:
  SaslStep step(std::optional<SecretString> response) override {
    if (std::exchange(user_asked_, true) == false && (!response || response->empty()))
      return SaslChallenge{"Username:"};
    if (!have_user_) return take_user(response->reveal());
    return SaslPassword{{}, std::move(user_), std::move(*response)};
  }

 private:
  SaslStep take_user(std::string_view user) {
    if (user.empty()) return SaslBad{"no user name"};
    user_ = user;
    have_user_ = true;
    return SaslChallenge{"Password:"};
  }

  std::string user_;
  bool user_asked_ = false, have_user_ = false;
};

}  // namespace

std::unique_ptr<ServerMechanism> make_plain() { return std::make_unique<Plain>(); }
std::unique_ptr<ServerMechanism> make_login() { return std::make_unique<Login>(); }

}  // namespace postern
