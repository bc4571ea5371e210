// What the front promises before login (spec 1.2).
#ifndef POSTERN_PROTO_IMAP_CAPABILITY_H
#define POSTERN_PROTO_IMAP_CAPABILITY_H

#include <string>

#include "proto/front.h"

namespace postern::imap {

// Appends the list, without the word CAPABILITY.
void append_capabilities(std::string& out, const FrontSettings& settings, const ConnectionFacts& facts);

}  // namespace postern::imap

#endif
