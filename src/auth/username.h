// From the name a client sent to the name databases see (AUTH-11, AUTH-12, AUC-25).
#ifndef POSTERN_AUTH_USERNAME_H
#define POSTERN_AUTH_USERNAME_H

#include <array>
#include <string>
#include <string_view>

#include "auth/variables.h"
#include "base/result.h"

namespace postern {

class UsernameRules {
 public:
  struct Settings {
    std::string chars, translation, format, default_realm, master_separator;
  };
  // The Error names the setting. Empty `chars`: all bytes but NUL.
  static Result<UsernameRules> compile(const Settings& settings);

  // "login*master" at the first separator; master is empty without one. `is_master_login` is true even for an
  // empty master name: that one fails later.
  struct Split {
    std::string_view login, master;
    bool is_master_login = false;
  };
  Split split(std::string_view raw) const;

  // Default domain, translation, allowed characters, format, not empty. `others` serves variables that are not
  // made of the name. The Error is for the log.
  Result<std::string> normalize(std::string_view raw, const Variables& others) const;

 private:
  std::array<bool, 256> allowed_{};
  std::array<char, 256> translation_{};
  Template format_;
  std::string realm_;
  char separator_ = 0;
};

// The value of %u, %n, %d ... for a user name; empty for variables that are not made of it.
std::string name_variable(Variable variable, std::string_view user);
// Whether %u and its parts: what name_variable() answers.
bool is_name_variable(Variable variable);

}  // namespace postern

#endif
