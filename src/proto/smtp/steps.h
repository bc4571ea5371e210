// What the handshakes with submission, LMTP and SMTP servers share (SUB-36 to SUB-40, LMTP-26).
#ifndef POSTERN_PROTO_SMTP_STEPS_H
#define POSTERN_PROTO_SMTP_STEPS_H

#include <string>
#include <string_view>

#include "base/text.h"
#include "proto/back.h"
#include "proto/smtp/reply.h"

namespace postern::smtp {

// Step::read: hands each whole reply to `Take`.
template <Verdict (*Take)(const Reply&, BackPlan&, StepResult&)>
Verdict read_reply(std::string_view line, BackPlan& plan, StepResult& result) {
  ReplyReader& reader = plan.learned.reply;
  const ReplyReader::State state = reader.take(line);
  if (state == ReplyReader::State::More) return Verdict::More;
  if (state == ReplyReader::State::Broken)
    return failed(result, FailureClass::Protocol, std::string(reader.why()) + ": " + printable(line));
  return Take(reader.reply(), plan, result);
}

inline bool wants_tls(const BackPlan& plan) { return plan.tls == TlsUse::StartTls; }
inline void send_starttls(BackPlan&, std::string& out) { out += "STARTTLS\r\n"; }

}  // namespace postern::smtp

#endif
