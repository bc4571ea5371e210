// The client's side of POP3 before login (POP-1 to POP-12, POP-20 to POP-34).
#ifndef POSTERN_PROTO_POP3_FRONT_H
#define POSTERN_PROTO_POP3_FRONT_H

#include <memory>

#include "proto/front.h"

namespace postern::pop3 {

// `settings` must outlive the front.
std::unique_ptr<Front> make_front(const FrontSettings& settings, const ConnectionFacts& facts);

}  // namespace postern::pop3

#endif
