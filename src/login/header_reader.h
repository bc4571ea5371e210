// Takes a PROXY header off a socket, and not a byte of what stands behind it: that may be a TLS handshake, which
// reads the socket itself.
#ifndef POSTERN_LOGIN_HEADER_READER_H
#define POSTERN_LOGIN_HEADER_READER_H

#include <string>
#include <string_view>

#include "proto/proxy_header.h"

namespace postern {

class HeaderReader {
 public:
  enum class State : uint8_t { Waiting, Complete, Broken, Closed };
  // To be called each time `fd` is readable, until it is not Waiting any more.
  State read(int fd);
  const ProxyHeader& header() const { return header_; }
  // Why it is Broken.
  std::string_view why() const { return why_; }

 private:
  std::string taken_;
  ProxyHeader header_;
  std::string_view why_;
};

}  // namespace postern

#endif
