// The ID command (RFC 2971, IMAP-50 to IMAP-59): what a client says of itself, and a trusted proxy of its client.
#ifndef POSTERN_PROTO_IMAP_ID_H
#define POSTERN_PROTO_IMAP_ID_H

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/facts.h"
#include "proto/front.h"
#include "proto/imap/scan.h"

namespace postern::imap {

struct IdPair {
  std::string_view key;
  std::optional<std::string_view> value;  // NIL: none
};

// The pairs of the scanner's command; views into it. Nothing when the arguments are not an ID list (IMAP-51) or
// there are too many pairs (IMAP-59).
std::optional<std::vector<IdPair>> read_id(const Scanner& scanner, unsigned max_pairs);

// Our own list, `NIL` or in parentheses (IMAP-50).
std::string id_reply(const FrontSettings& settings);

// "name=mutt, version=NIL" as imap_id_log asks (IMAP-57); nothing when it asks for none of the pairs.
std::optional<std::string> id_log_text(const std::vector<IdPair>& pairs, std::string_view wanted);

// What is to be taken over: trusted keys when `trusted` (values that are not valid are left out), and the list for
// our own ID, at most `retain` bytes. `anything` tells whether there is any.
struct IdFacts {
  ForwardedFacts facts;
  bool anything = false;
};
IdFacts id_facts(const std::vector<IdPair>& pairs, bool trusted, size_t retain);

}  // namespace postern::imap

#endif
