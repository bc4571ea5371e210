// What the front promises before login (spec 1.2).
#ifndef POSTERN_PROTO_IMAP_CAPABILITY_H
#define POSTERN_PROTO_IMAP_CAPABILITY_H

#include <string>

#include "proto/front.h"

namespace postern::imap {

// Whether a password may be sent now (IMAP-6 b, IMAP-61).
bool plaintext_allowed(const FrontSettings& settings, const ConnectionFacts& facts);
// Appends the list, without the word CAPABILITY.
void append_capabilities(std::string& out, const FrontSettings& settings, const ConnectionFacts& facts);

}  // namespace postern::imap

#endif
