// A TLS session and its client's certificate in words, for services that want to know them. Told by whoever holds the
// session.
#ifndef POSTERN_BASE_TLS_FACTS_H
#define POSTERN_BASE_TLS_FACTS_H

#include <string>
#include <tuple>

namespace postern {

struct TlsFacts {
  std::string protocol, cipher;  // "TLSv1.3", and OpenSSL's name for it; empty without TLS
  // Of the client's verified certificate: names by RFC 2253, serial number (upper case) and SHA-1 (lower case) in hex,
  // PEM of at most 16 KiB (longer: none); else empty.
  std::string subject, issuer, serial, sha1, pem;
  auto fields() { return std::tie(protocol, cipher, subject, issuer, serial, sha1, pem); }
};

}  // namespace postern

#endif
