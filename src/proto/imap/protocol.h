// IMAP for the registry.
#ifndef POSTERN_PROTO_IMAP_PROTOCOL_H
#define POSTERN_PROTO_IMAP_PROTOCOL_H

#include "proto/protocol.h"

namespace postern::imap {

// Its steps (spec section 2.2): banner, STARTTLS, ID, CAPABILITY, LOGIN or AUTHENTICATE.
extern const Protocol kImap;

ProgramGreeting read_program_greeting(std::string_view received);

}  // namespace postern::imap

#endif
