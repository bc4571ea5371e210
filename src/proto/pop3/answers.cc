#include "proto/pop3/answers.h"

#include <array>

#include "base/rows.h"
#include "base/text.h"

namespace postern::pop3 {

namespace {

struct Row;
using Print = void (*)(std::string& out, const Row& row, const Answer& answer);

// How an outcome is told: `code`, then the answer's text or, without one, `text`.
struct Row {
  AnswerKind kind;
  Print print;
  std::string_view code{}, text{};
  std::string_view farewell{};  // the connection ends, for this reason
};

void accept(std::string& out, const Row& row, const Answer&) { ((out += "+OK ") += row.text) += "\r\n"; }
void pass_acceptance(std::string& out, const Row&, const Answer& answer) { (out += answer.backend.line) += "\r\n"; }

void refuse(std::string& out, const Row& row, const Answer& answer) {
  const std::string text = answer.text.empty() ? std::string(row.text) : printable(answer.text, kMaxText);
  (((out += "-ERR ") += row.code) += text) += "\r\n";
}

// A text that begins with "[" replaces the code (IMAP-87).
void refuse_in_its_words(std::string& out, const Row& row, const Answer& answer) {
  Row own = row;
  if (answer.text.starts_with("[")) own.code = {};
  refuse(out, own, answer);
}

void nothing(std::string&, const Row&, const Answer&) {}

constexpr std::string_view kTooMany = "Maximum number of connections from user+IP exceeded";
constexpr std::string_view kUnavailable = "Account is temporarily unavailable.";

constexpr std::array<Row, static_cast<size_t>(AnswerKind::kCount)> kRows{{
    {AnswerKind::Challenge, nothing},
    {AnswerKind::BackendAccepted, pass_acceptance},
    {AnswerKind::LocalAccepted, accept, "", "Logged in."},
    {AnswerKind::AuthFailed, refuse_in_its_words, "[AUTH] ", "Authentication failed."},
    {AnswerKind::AuthzFailed, refuse_in_its_words, "[AUTH] ", "Authorization failed"},
    {AnswerKind::PasswordExpired, refuse_in_its_words, "[AUTH] ", "Authentication failed."},
    {AnswerKind::UserDisabled, refuse_in_its_words, "[AUTH] ", "Authentication failed."},
    {AnswerKind::TempFail, refuse, "[SYS/TEMP] ", "Temporary authentication failure."},
    {AnswerKind::LoginDisabled, refuse, "[AUTH] ", "Login disabled for this user"},
    {AnswerKind::Referral, refuse, "", "Try this server instead."},
    {AnswerKind::ReferralAccepted, accept, "", "Logged in."},  // a referral has no form here (REF-6)
    {AnswerKind::UnsupportedMechanism, refuse, "[AUTH] ", "Unsupported authentication mechanism."},
    {AnswerKind::BadEncodingInitial, refuse, "[AUTH] ", "Invalid base64 data in initial response"},
    {AnswerKind::BadEncodingResponse, refuse, "[AUTH] ", "Invalid base64 in response"},
    {AnswerKind::BackendRefused, refuse, "", "Authentication failed."},
    {AnswerKind::BackendUnavailable, refuse, "[SYS/TEMP] ", kUnavailable},
    {AnswerKind::BackendMisconfigured, refuse, "", kUnavailable},
    {AnswerKind::TooManyConnections, refuse, "[IN-USE] ", kTooMany, kTooMany},
    {AnswerKind::InternalFailure, refuse, "[SYS/TEMP] ",
     "Internal login failure. Refer to server log for more information.", "Internal login failure"},
}};

static_assert(rows_stand_in_order(kRows, &Row::kind));

const Row& row_of(AnswerKind kind) { return kRows[static_cast<size_t>(kind)]; }

}  // namespace

std::string_view append_answer(std::string& out, const Answer& answer) {
  const Row& row = row_of(answer.kind);
  row.print(out, row, answer);
  return row.farewell;
}

std::string_view append_refusal(std::string& out, AnswerKind kind) {
  append_answer(out, {.kind = kind});
  return row_of(kind).text;
}

}  // namespace postern::pop3
