#include "proto/referral.h"

#include "base/address.h"

namespace postern {

namespace {

// RFC 3986: unreserved and sub-delims but ';', which separates.
bool is_plain_in_url(char c) {
  const bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  return alphanumeric || (c != '\0' && std::string_view("-._~!$&'()*+,=").find(c) != std::string_view::npos);
}

std::string percent_encode(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (char c : text) {
    if (is_plain_in_url(c)) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += {'%', kHex[byte >> 4], kHex[byte & 15]};
  }
  return out;
}

std::string url_host(std::string_view host) {
  if (host.starts_with('[')) return std::string(host);
  const auto ip = IpAddress::parse(host);
  if (ip && host.find(':') != std::string_view::npos) return "[" + std::string(host) + "]";
  return percent_encode(host);
}

}  // namespace

std::string referral_url(std::string_view scheme, const ReferralTarget& target, uint16_t usual_port) {
  std::string url(scheme);
  url +=
      "://" + percent_encode(target.user) + ";AUTH=" + percent_encode(target.mechanism) + "@" + url_host(target.host);
  if (target.port != 0 && target.port != usual_port) url += ":" + std::to_string(target.port);
  return url;
}

}  // namespace postern
