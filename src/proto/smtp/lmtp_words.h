// What LMTP says: the LHLO reply, the outcomes of recipients and the headers of a message (LMTP-6, LMTP-32 to LMTP-39).
// Pure.
#ifndef POSTERN_PROTO_SMTP_LMTP_WORDS_H
#define POSTERN_PROTO_SMTP_LMTP_WORDS_H

#include <string>
#include <string_view>
#include <vector>

#include "proto/delivery.h"

namespace postern::smtp {

// The lines of the LHLO reply, our name first.
std::vector<std::string> lhlo_lines(const FrontSettings& settings, const ConnectionFacts& facts);

// When a recipient's outcome is told.
enum class Stage : uint8_t { Named, Delivery };
// The reply to `recipient`, with CRLF.
std::string outcome_reply(const Outcome& outcome, Stage stage, const Recipient& recipient, bool verbose);

// What a Received: header needs besides TraceFacts.
struct TraceSubject {
  std::string_view hostname, helo, sender;
  std::string_view recipient;  // empty: not told
};
// The Received: header with CRLF at the end of each line.
std::string received_header(const TraceFacts& facts, const TraceSubject& subject);
// "Sat, 28 Nov 2026 21:22:59 +0000" (RFC 5322 section 3.3).
std::string message_date(int64_t seconds, int32_t utc_offset);

}  // namespace postern::smtp

#endif
