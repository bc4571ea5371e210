// XCLIENT with plain words: what a trusted peer says of the client behind it, both ways (POP-30 to POP-34, PXP-3,
// SIEVE-21, SIEVE-28).
#ifndef POSTERN_PROTO_XCLIENT_H
#define POSTERN_PROTO_XCLIENT_H

#include <string>
#include <string_view>

#include "proto/facts.h"

namespace postern {

struct Xclient {
  ForwardedFacts facts;
  bool valid = true;  // false: at least one value was not; the others stand (POP-31)
};

// Takes over one value; false when it is not one that `name` can have. Names of 2.3 and 2.4 are known, in any case;
// others are left out.
bool take_xclient_value(std::string_view name, std::string_view value, ForwardedFacts& facts);

// What may stand for a server's name in DNS: 1 to 253 letters, digits, "-", "." and "_".
bool is_dns_name(std::string_view text);

// name=value items, each TAB-escaped, joined by TABs (POP-32, GEN-22).
std::string forward_list(const ForwardFields& fields);
// One such item; false, and nothing is taken, when it is none.
bool take_forward_item(std::string_view item, ForwardFields& out);
// The value of FORWARD: that list in base64.
std::string xclient_forward(const ForwardFacts& facts);

// All arguments of XCLIENT.
Xclient parse_xclient(std::string_view arguments);

// The whole command without CRLF, at most kMaxXclientLine bytes: FORWARD is left out where it would make
// the line longer than peers read (`complete` is false then).
struct XclientLine {
  std::string text;
  bool complete = true;
};
inline constexpr size_t kMaxXclientLine = 1000;
XclientLine format_xclient(const ForwardFacts& facts);

}  // namespace postern

#endif
