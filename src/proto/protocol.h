// What common code must know of a protocol, as data. One of these per protocol; login/protocols.cc lists them.
#ifndef POSTERN_PROTO_PROTOCOL_H
#define POSTERN_PROTO_PROTOCOL_H

#include <memory>
#include <span>
#include <string_view>

#include "proto/front.h"
#include "proto/program_greeting.h"
#include "proto/script.h"

namespace postern {

// Whether we log in at a backend.
enum class BackLogin : uint8_t {
  Always,
  MaySkip,  // field proxy_noauth means something: backends may take our word (SUB-46)
  Never,    // there is no login (LMTP-19)
};

// How to get through to a backend.
struct BackSide {
  uint16_t port;                              // default (143); 0: the one the client came to
  uint16_t tls_port;                          // with field ssl (993)
  std::string_view alpn;                      // empty: none
  std::span<const Step> steps;                // the handshake
  StateForm state_form = StateForm::Waiting;  // LOG-12
  BackLogin login = BackLogin::Always;
};

struct Protocol {
  std::string_view name;           // "imap": %s, settings, protocol filter
  std::string_view login_service;  // "imap-login": service name, log prefix
  std::string_view mail_service;   // "imap": service of the programs for users of this host
  BackSide back;
  bool has_referral;                // A1 applies
  std::string_view sasl_service{};  // of Kerberos principals (RFC 4422: what each protocol calls itself)
  bool takes_anonymous = false;     // ANONYMOUS may be offered (SASL-1)
  std::unique_ptr<Front> (*make_front)(const FrontSettings& settings, const ConnectionFacts& facts);
  // Reads what a local mail program has said so far; nothing has to be said where programs are silent.
  ProgramGreeting (*read_program_greeting)(std::string_view received);
};

}  // namespace postern

#endif
