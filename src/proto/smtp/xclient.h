// XCLIENT of SMTP and LMTP, both ways (Postfix' XCLIENT_README with Dovecot's attributes; SUB-33 to SUB-35, SUB-39).
// Pure.
#ifndef POSTERN_PROTO_SMTP_XCLIENT_H
#define POSTERN_PROTO_SMTP_XCLIENT_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/facts.h"

namespace postern::smtp {

// RFC 3461 section 4: bytes other than visible ASCII, "+" and "=" as +HH.
std::string xtext_encode(std::string_view text);
// Nothing when `text` is no xtext. Hex digits may be in either case.
std::optional<std::string> xtext_decode(std::string_view text);

struct ParsedXclient {
  ForwardedFacts facts;
  // What only SMTP and LMTP have, by attribute: HELO, PROTO, LOGIN, TIMEOUT, CLIENT-TRANSPORT; never empty.
  ProtocolFacts own;
  std::string error;  // what the reply says ("Invalid ADDR parameter"); not empty: nothing of the line counts
};

// The parameters of a command. Attributes of 2.3 and 2.4 are known, others left out; "[UNAVAILABLE]" tells nothing.
ParsedXclient parse_xclient(std::string_view parameters);

// Attributes that a backend takes, from its EHLO line ("ADDR PORT HELO"), as bits for format_xclient().
uint32_t offered_attributes(std::string_view names);

// How a kind of backend wants to be told.
enum class XclientForm : uint8_t {
  Submission,  // SUB-39
  Lmtp,        // LMTP-27: addresses last, nothing that is not known, IPv6 addresses as they are
  Smtp,        // LMTP-27: as Lmtp, IPv6 addresses marked
};

// The commands, each with CRLF and at most 512 bytes unless one attribute alone is longer; nothing is told that
// is not `offered`. Empty when there is nothing to tell.
struct XclientCommands {
  std::string text;
  unsigned count = 0;
};
XclientCommands format_xclient(XclientForm form, const ForwardFacts& facts, const ProtocolFacts& own, uint32_t offered);

}  // namespace postern::smtp

#endif
