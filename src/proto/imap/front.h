// IMAP towards clients, before login (spec section 1).
#ifndef POSTERN_PROTO_IMAP_FRONT_H
#define POSTERN_PROTO_IMAP_FRONT_H

#include <memory>
#include <string>
#include <string_view>

#include "proto/front.h"
#include "proto/imap/scan.h"

namespace postern::imap {

// `settings` must outlive the front.
std::unique_ptr<Front> make_front(const FrontSettings& settings, const ConnectionFacts& facts);

// Appends the tagged reply (and the untagged lines before it) that tells `answer` to a client who asked with `tag`.
// `asked_capabilities` as in IMAP-11. Returns the log reason when the connection ends with it, else nothing.
std::string_view append_answer(std::string& out, std::string_view tag, const Answer& answer, bool asked_capabilities);

}  // namespace postern::imap

#endif
