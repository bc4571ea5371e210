#include "sasl/token_mechanisms.h"

#include <algorithm>

#include "base/text.h"

namespace postern {

namespace {

constexpr SaslBad kBad{"invalid input"};
constexpr char kSeparator = '\1';

// RFC 6750 section 2.1; whatever else is no token and must not reach a header or a log.
bool is_token(std::string_view text) {
  const auto allowed = [](char c) { return c > ' ' && c < 127; };
  return !text.empty() && std::all_of(text.begin(), text.end(), allowed);
}

// "Bearer TOKEN"; the word in any case.
std::optional<std::string_view> bearer_token(std::string_view value) {
  constexpr std::string_view kWord = "bearer ";
  if (!istarts_with(value, kWord)) return std::nullopt;
  const std::string_view token = trim(value.substr(kWord.size()));
  return is_token(token) ? std::optional(token) : std::nullopt;
}

struct Pairs {
  std::string_view user, auth;
};

// KEY=VALUE^A...^A ; each of the known keys at most once.
std::optional<Pairs> parse_pairs(std::string_view text) {
  Pairs out;
  while (!text.empty() && text != std::string_view(&kSeparator, 1)) {
    const size_t end = text.find(kSeparator), equal = text.find('=');
    if (end == std::string_view::npos || equal == std::string_view::npos || equal > end) return std::nullopt;
    const std::string_view key = text.substr(0, equal), value = text.substr(equal + 1, end - equal - 1);
    std::string_view* known = iequals(key, "user") ? &out.user : iequals(key, "auth") ? &out.auth : nullptr;
    if (known != nullptr && !known->empty()) return std::nullopt;
    if (known != nullptr) *known = value;
    text.remove_prefix(end + 1);
  }
  // The text ends with a separator of its own.
  return text.empty() ? std::nullopt : std::optional(out);
}

// A name of a GS2 header: =2C is a comma, =3D an equals sign, no other "=" (RFC 5801 section 4).
std::optional<std::string> gs2_name(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '=') {
      out += text[i];
      continue;
    }
    const std::string_view code = text.substr(i, 3);
    if (code != "=2C" && code != "=3D") return std::nullopt;
    out += code == "=2C" ? ',' : '=';
    i += 2;
  }
  return out;
}

SaslStep token_password(std::string user, std::string_view auth) {
  const auto token = bearer_token(auth);
  if (!token || user.empty() || user.find('\0') != std::string::npos) return kBad;
  return SaslPassword{{}, std::move(user), SecretString(*token)};
}

SaslStep parse_xoauth2(std::string_view message) {
  const auto pairs = parse_pairs(message);
  return pairs ? token_password(std::string(pairs->user), pairs->auth) : SaslStep(kBad);
}

// "n,a=USER,^Ahost=...^Aauth=Bearer TOKEN^A^A"; a channel binding ("p=") is none of ours.
SaslStep parse_oauthbearer(std::string_view message) {
  const size_t separator = message.find(kSeparator);
  if (separator == std::string_view::npos) return kBad;
  const auto header = split_fields(message.substr(0, separator), ',');
  if (header.size() != 3 || (header[0] != "n" && header[0] != "y") || !header[1].starts_with("a=") ||
      !header[2].empty())
    return kBad;
  const auto name = gs2_name(header[1].substr(2));
  const auto pairs = parse_pairs(message.substr(separator + 1));
  if (!name || !pairs) return kBad;
  return token_password(*name, pairs->auth);
}

class Token final : public ServerMechanism {
 public:
  explicit Token(SaslStep (*parse)(std::string_view)) : parse_(parse) {}
  SaslStep step(std::optional<SecretString> response) override {
    if (!response) return SaslChallenge{};
    return parse_(response->reveal());
  }

 private:
  SaslStep (*parse_)(std::string_view);
};

}  // namespace

std::unique_ptr<ServerMechanism> make_xoauth2() { return std::make_unique<Token>(parse_xoauth2); }
std::unique_ptr<ServerMechanism> make_oauthbearer() { return std::make_unique<Token>(parse_oauthbearer); }

}  // namespace postern
