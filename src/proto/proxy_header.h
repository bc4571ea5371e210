// The PROXY protocol, versions 1 and 2 (proxy-protocol.txt of HAProxy), both ways: what a load balancer says of its
// client before the client's first byte. Pure.
#ifndef POSTERN_PROTO_PROXY_HEADER_H
#define POSTERN_PROTO_PROXY_HEADER_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/address.h"

namespace postern {

enum class ProxyHeaderVersion : uint8_t { V1, V2 };

struct ProxyHeader {
  // False: LOCAL, UNKNOWN or a family that is not IP; the connection's own addresses count.
  bool forwarded = false;
  Endpoint remote, local;  // of the client, and where it connected to
  // Version 2, forwarded only.
  std::string authority;  // PP2_TYPE_AUTHORITY: the name given by SNI
  bool tls = false;       // PP2_TYPE_SSL: the client came by TLS
};

// Longest header that is read; version 1 ends at its own limit of 107 bytes.
inline constexpr size_t kMaxProxyHeader = 4096;

struct ProxyHeaderResult {
  enum class State : uint8_t { Incomplete, Complete, Broken } state = State::Incomplete;
  size_t size = 0;       // Complete: bytes of the header; what stands behind it is the client's
  ProxyHeader header;    // Complete
  std::string_view why;  // Broken; static
};

// Reads the header at the front of `input`. Broken as soon as no further byte could make it a header.
ProxyHeaderResult parse_proxy_header(std::string_view input);

// The header that says `header`. Addresses of two families, or none, make it UNKNOWN or unspecified.
std::string encode_proxy_header(ProxyHeaderVersion version, const ProxyHeader& header);

}  // namespace postern

#endif
