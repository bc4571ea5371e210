// IMAP-80 to IMAP-96, PXI-30 to PXI-55: the words for each answer.
#include <array>

#include "base/base64.h"
#include "base/rows.h"
#include "base/text.h"
#include "proto/imap/front.h"
#include "proto/imap/strings.h"
#include "proto/referral.h"

namespace postern::imap {

namespace {

constexpr size_t kMaxReason = 1024;

struct Reply {
  std::string& out;
  std::string_view tag;
  const Answer& answer;
  bool asked_capabilities;

  void tagged(std::string_view status, std::string_view rest) const {
    out += tag;
    (((out += ' ') += status) += ' ') += rest;
    out += "\r\n";
  }
  void untagged_capability(std::string_view list) const { ((out += "* CAPABILITY ") += list) += "\r\n"; }
  std::string reason_or(std::string_view standard) const {
    return answer.text.empty() ? std::string(standard) : printable(answer.text, kMaxReason);
  }
  // "[CODE] reason", or the standard text behind the code.
  void no(std::string_view code, std::string_view standard) const {
    tagged("NO", "[" + std::string(code) + "] " + reason_or(standard));
  }
};

// The login reply with its capabilities, in the form this client looks for (PXI-30 to PXI-34).
void ok_with_capabilities(const Reply& reply, std::string_view rest, std::string_view known) {
  if (rest.empty()) rest = "Logged in";
  const auto own = capability_code(rest);
  if (reply.asked_capabilities) {
    if (own || !known.empty()) reply.untagged_capability(own ? *own : known);
    return reply.tagged("OK", rest);
  }
  if (own || known.empty()) return reply.tagged("OK", rest);
  const auto coded = split_code(rest);
  reply.tagged("OK", "[CAPABILITY " + std::string(known) + "] " + std::string(coded ? coded->text : rest));
}

void challenge(const Reply& reply) { ((reply.out += "+ ") += base64_encode(reply.answer.text)) += "\r\n"; }

void backend_accepted(const Reply& reply) {
  ok_with_capabilities(reply, reply.answer.backend.line, reply.answer.backend.capabilities);
}

void local_accepted(const Reply& reply) {
  if (reply.asked_capabilities && !reply.answer.text.empty()) {
    reply.untagged_capability(reply.answer.text);
    return reply.tagged("OK", "Logged in");
  }
  ok_with_capabilities(reply, "Logged in", reply.answer.text);
}

// IMAP-87: a reason of the user database is for people's eyes, unless it brings a code of its own.
void failed(const Reply& reply) {
  if (reply.answer.text.empty()) return reply.no("AUTHENTICATIONFAILED", "Authentication failed.");
  if (reply.answer.text.starts_with('[')) return reply.tagged("NO", reply.reason_or({}));
  reply.no("ALERT", {});
}

void authorization_failed(const Reply& reply) { reply.no("AUTHORIZATIONFAILED", "Authorization failed"); }
void password_expired(const Reply& reply) { reply.no("EXPIRED", "Authentication failed."); }

void user_disabled(const Reply& reply) {
  if (reply.answer.text.empty()) return reply.no("AUTHENTICATIONFAILED", "Authentication failed.");
  reply.no("ALERT", {});
}

void temporary_failure(const Reply& reply) { reply.no("UNAVAILABLE", "Temporary authentication failure."); }
void login_disabled(const Reply& reply) { reply.no("CONTACTADMIN", "Login disabled for this user"); }

std::string referral_code(const Reply& reply) {
  return "REFERRAL " + referral_url("imap", reply.answer.referral, 143) + "/";
}

void referral(const Reply& reply) { reply.no(referral_code(reply), "Try this server instead."); }

// One line has one code: the capabilities go before it (DECISIONS 6).
void referral_accepted(const Reply& reply) {
  if (!reply.answer.backend.capabilities.empty()) reply.untagged_capability(reply.answer.backend.capabilities);
  reply.tagged(
      "OK", "[" + referral_code(reply) + "] " + reply.reason_or("Logged in, but you should use this server instead."));
}

void unsupported_mechanism(const Reply& reply) { reply.tagged("NO", "[ALERT] Unsupported authentication mechanism."); }
void bad_initial(const Reply& reply) { reply.tagged("BAD", "Invalid base64 data in initial response"); }
void bad_response(const Reply& reply) { reply.tagged("NO", "[ALERT] Invalid base64 in response"); }

void backend_refused(const Reply& reply) {
  if (reply.answer.text.starts_with('[')) return reply.tagged("NO", reply.answer.text);
  reply.tagged("NO", "[AUTHENTICATIONFAILED] " + reply.answer.text);
}

void backend_unavailable(const Reply& reply) {
  reply.tagged("NO", "[UNAVAILABLE] Account is temporarily unavailable.");
}
void backend_misconfigured(const Reply& reply) {
  reply.tagged("NO", "[SERVERBUG] Account is temporarily unavailable.");
}

void too_many_connections(const Reply& reply) {
  reply.no("LIMIT", "Maximum number of connections from user+IP exceeded");
}

void internal_failure(const Reply& reply) {
  reply.out += "* BYE [UNAVAILABLE] Internal login failure. Refer to server log for more information.\r\n";
}

struct Row {
  AnswerKind kind;
  void (*print)(const Reply&);
  std::string_view farewell{};
};

constexpr std::array<Row, static_cast<size_t>(AnswerKind::kCount)> kRows{{
    {AnswerKind::Challenge, challenge},
    {AnswerKind::BackendAccepted, backend_accepted},
    {AnswerKind::LocalAccepted, local_accepted},
    {AnswerKind::AuthFailed, failed},
    {AnswerKind::AuthzFailed, authorization_failed},
    {AnswerKind::PasswordExpired, password_expired},
    {AnswerKind::UserDisabled, user_disabled},
    {AnswerKind::TempFail, temporary_failure},
    {AnswerKind::LoginDisabled, login_disabled},
    {AnswerKind::Referral, referral},
    {AnswerKind::ReferralAccepted, referral_accepted},
    {AnswerKind::UnsupportedMechanism, unsupported_mechanism},
    {AnswerKind::BadEncodingInitial, bad_initial},
    {AnswerKind::BadEncodingResponse, bad_response},
    {AnswerKind::BackendRefused, backend_refused},
    {AnswerKind::BackendUnavailable, backend_unavailable},
    {AnswerKind::BackendMisconfigured, backend_misconfigured},
    {AnswerKind::TooManyConnections, too_many_connections, "Maximum number of connections from user+IP exceeded"},
    {AnswerKind::InternalFailure, internal_failure, "Internal login failure"},
}};

static_assert(rows_stand_in_order(kRows, &Row::kind));

}  // namespace

std::string_view append_answer(std::string& out, std::string_view tag, const Answer& answer, bool asked_capabilities) {
  const Row& row = kRows[static_cast<size_t>(answer.kind)];
  row.print(Reply{out, tag, answer, asked_capabilities});
  return row.farewell;
}

}  // namespace postern::imap
