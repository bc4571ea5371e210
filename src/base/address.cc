#include "base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <charconv>
#include <cstring>

#include "base/text.h"

namespace postern {

IpAddress IpAddress::from_bytes(std::string_view bytes) {
  static constexpr std::string_view kMapped("\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
  if (bytes.size() == 16 && bytes.substr(0, 12) == kMapped) bytes.remove_prefix(12);
  IpAddress ip;
  if (bytes.size() != 4 && bytes.size() != 16) return ip;
  ip.family_ = bytes.size() == 4 ? Family::V4 : Family::V6;
  memcpy(ip.bytes_.data(), bytes.data(), bytes.size());
  return ip;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.size() > 2 && text.front() == '[' && text.back() == ']') text = text.substr(1, text.size() - 2);
  if (text.empty() || text.size() >= INET6_ADDRSTRLEN || text.find('\0') != std::string_view::npos) return std::nullopt;
  const std::string z(text);
  char raw[16];
  if (inet_pton(AF_INET, z.c_str(), raw) == 1) return from_bytes({raw, 4});
  if (inet_pton(AF_INET6, z.c_str(), raw) == 1) return from_bytes({raw, 16});
  return std::nullopt;
}

std::string_view IpAddress::bytes() const {
  const size_t size = family_ == Family::None ? 0 : family_ == Family::V4 ? 4 : 16;
  return {reinterpret_cast<const char*>(bytes_.data()), size};
}

bool IpAddress::is_loopback() const {
  if (family_ == Family::V4) return bytes_[0] == 127;
  static constexpr std::string_view kLoopback("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16);
  return family_ == Family::V6 && bytes() == kLoopback;
}

bool IpAddress::is_any() const { return !is_none() && bytes().find_first_not_of('\0') == std::string_view::npos; }

namespace {

// inet_ntop goes by way of sprintf, and every login needs this several times.
std::string dotted(const std::array<uint8_t, 16>& bytes) {
  char buffer[16];
  char* at = buffer;
  for (int i = 0; i < 4; ++i) {
    if (i > 0) *at++ = '.';
    at = std::to_chars(at, buffer + sizeof buffer, bytes[static_cast<size_t>(i)]).ptr;
  }
  return {buffer, at};
}

}  // namespace

std::string IpAddress::text() const {
  if (is_none()) return {};
  if (family_ == Family::V4) return dotted(bytes_);
  char buffer[INET6_ADDRSTRLEN];
  inet_ntop(AF_INET6, bytes_.data(), buffer, sizeof buffer);
  return buffer;
}

std::string Endpoint::text() const {
  const std::string host = ip.family() == IpAddress::Family::V6 ? "[" + ip.text() + "]" : ip.text();
  return host + ":" + std::to_string(port);
}

unsigned Endpoint::to_sockaddr(sockaddr_storage& out) const {
  memset(&out, 0, sizeof out);
  if (ip.family() == IpAddress::Family::V4) {
    auto& in = reinterpret_cast<sockaddr_in&>(out);
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    memcpy(&in.sin_addr, ip.bytes().data(), 4);
    return sizeof in;
  }
  if (ip.family() == IpAddress::Family::V6) {
    auto& in6 = reinterpret_cast<sockaddr_in6&>(out);
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(port);
    memcpy(&in6.sin6_addr, ip.bytes().data(), 16);
    return sizeof in6;
  }
  return 0;
}

Endpoint Endpoint::from_sockaddr(const sockaddr* address) {
  Endpoint e;
  if (address->sa_family == AF_INET) {
    const auto* in = reinterpret_cast<const sockaddr_in*>(address);
    e.ip = IpAddress::from_bytes({reinterpret_cast<const char*>(&in->sin_addr), 4});
    e.port = ntohs(in->sin_port);
  } else if (address->sa_family == AF_INET6) {
    const auto* in6 = reinterpret_cast<const sockaddr_in6*>(address);
    e.ip = IpAddress::from_bytes({reinterpret_cast<const char*>(&in6->sin6_addr), 16});
    e.port = ntohs(in6->sin6_port);
  }
  return e;
}

std::optional<Network> Network::parse(std::string_view text) {
  const size_t slash = text.find('/');
  const auto ip = IpAddress::parse(text.substr(0, slash));
  if (!ip) return std::nullopt;
  const auto width = static_cast<uint8_t>(ip->bytes().size() * 8);
  if (slash == std::string_view::npos) return Network{*ip, width};
  const auto bits = parse_number(text.substr(slash + 1), width);
  if (!bits) return std::nullopt;
  return Network{*ip, static_cast<uint8_t>(*bits)};
}

bool Network::contains(const IpAddress& ip) const {
  if (ip.family() != base.family() || ip.is_none()) return false;
  const std::string_view a = base.bytes(), b = ip.bytes();
  const size_t whole = bits / 8;
  if (a.substr(0, whole) != b.substr(0, whole)) return false;
  const int rest = bits % 8;
  if (rest == 0) return true;
  const auto mask = static_cast<uint8_t>(0xff << (8 - rest));
  return (static_cast<uint8_t>(a[whole]) & mask) == (static_cast<uint8_t>(b[whole]) & mask);
}

}  // namespace postern
