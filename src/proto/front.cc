#include "proto/front.h"

#include <algorithm>
#include <array>

namespace postern {

const FrontSettings::Mechanism* FrontSettings::mechanism(std::string_view upper) const {
  const auto found = std::find_if(mechanisms.begin(), mechanisms.end(),
                                  [&](const Mechanism& m) { return m.name == upper && !m.is_private; });
  return found == mechanisms.end() ? nullptr : &*found;
}

size_t FrontSettings::sasl_line_limit(std::string_view mechanism) const {
  static constexpr std::array<std::string_view, 3> kTokens{"XOAUTH2", "OAUTHBEARER", "GSSAPI"};
  const bool token = std::find(kTokens.begin(), kTokens.end(), mechanism) != kTokens.end();
  return token ? std::max(max_token, max_sasl) : max_sasl;
}

}  // namespace postern
