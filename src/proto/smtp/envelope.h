// MAIL and RCPT: whose message it is and whom it is for (RFC 5321 section 4.1.1.2 and 4.1.2; LMTP-4, LMTP-9 to
// LMTP-12). Pure.
#ifndef POSTERN_PROTO_SMTP_ENVELOPE_H
#define POSTERN_PROTO_SMTP_ENVELOPE_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/delivery.h"

namespace postern::smtp {

// What stands between < and >, taken apart.
struct Path {
  std::string text;    // as written, without a source route
  std::string local;   // without quotes
  std::string domain;  // empty: none
  bool is_ascii = true;
};

// "<path>" at the start of `text`; `rest` is what follows. The error is a few words. Null is an empty path, "<>".
struct ParsedPath {
  Path path;
  std::string_view rest{};
  std::string_view error{};
};
struct PathRules {
  bool bare = false;          // without < and > (workaround mailbox-for-path)
  bool needs_domain = false;  // else a local part alone will do
  bool utf8 = false;
};
ParsedPath parse_path(std::string_view text, PathRules rules);
// Whether it can stand between < and >.
bool is_mailbox(std::string_view text);

// How a command is refused; code 0: it is not.
struct Refusal {
  unsigned code = 0;
  std::string_view enhanced{};
  std::string text{};
  explicit operator bool() const { return code != 0; }
};

// What this server takes: it follows from settings and the peer.
struct EnvelopeRules {
  bool eight_bit = false, dsn = false, utf8 = false;  // lmtp_backend_capabilities
  uint64_t max_size = 0;                              // 0: SIZE is not offered
  bool trusted = false;                               // XRCPTFORWARD may be said
  bool blank_before_path = false, bare_path = false;  // lmtp_client_workarounds
  std::string_view delimiters{};                      // recipient_delimiter
};

// The parameters of MAIL and RCPT. A recipient's number is the caller's to set.
Refusal parse_mail(std::string_view parameters, const EnvelopeRules& rules, Envelope& out);
Refusal parse_rcpt(std::string_view parameters, const EnvelopeRules& rules, const Envelope& envelope, Recipient& out);

// `user` and the detail of `of` as an address; nothing when that is none (LMTP-4).
std::optional<std::string> address_for(std::string_view user, const Recipient& of);

// The value of XRCPTFORWARD: items joined by TABs, as xtext; what peers of 2.4 say, in base64 besides, is understood
// (GEN-22).
std::string forward_value(const ForwardFields& fields);
std::optional<ForwardFields> parse_forward_value(std::string_view text);

}  // namespace postern::smtp

#endif
