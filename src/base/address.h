// IP addresses, endpoints and networks as plain values.
#ifndef POSTERN_BASE_ADDRESS_H
#define POSTERN_BASE_ADDRESS_H

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

struct sockaddr;
struct sockaddr_storage;

namespace postern {

// An IPv4 or IPv6 address, or none. An IPv4-mapped IPv6 address becomes the IPv4 address.
class IpAddress {
 public:
  enum class Family : uint8_t { None, V4, V6 };

  IpAddress() = default;
  // Text as inet_pton takes it; IPv6 may stand in brackets.
  static std::optional<IpAddress> parse(std::string_view text);
  // `bytes` are 4 or 16 in network order; anything else gives none.
  static IpAddress from_bytes(std::string_view bytes);

  Family family() const { return family_; }
  bool is_none() const { return family_ == Family::None; }
  bool is_loopback() const;
  bool is_any() const;
  // 4 or 16 bytes in network order; empty for none.
  std::string_view bytes() const;
  // "192.0.2.1" or "2001:db8::1"; empty for none.
  std::string text() const;

  auto operator<=>(const IpAddress&) const = default;

 private:
  std::array<uint8_t, 16> bytes_{};
  Family family_ = Family::None;
};

// Address and port.
struct Endpoint {
  IpAddress ip;
  uint16_t port = 0;

  // "192.0.2.1:143" or "[2001:db8::1]:143".
  std::string text() const;
  // Fills `out` and returns its length for bind or connect; 0 when ip is none.
  unsigned to_sockaddr(sockaddr_storage& out) const;
  // None for families other than AF_INET and AF_INET6.
  static Endpoint from_sockaddr(const sockaddr* address);

  auto operator<=>(const Endpoint&) const = default;
};

// A network in CIDR notation; an address without /bits is a network of one.
struct Network {
  IpAddress base;
  uint8_t bits = 0;

  static std::optional<Network> parse(std::string_view text);
  bool contains(const IpAddress& ip) const;

  bool operator==(const Network&) const = default;
};

}  // namespace postern

#endif
