#include "proto/sieve/answers.h"

#include <array>

#include "base/rows.h"
#include "base/text.h"
#include "proto/referral.h"
#include "proto/sieve/protocol.h"
#include "proto/sieve/scan.h"

namespace postern::sieve {

namespace {

constexpr size_t kMaxReason = 1024;

struct Row;
using Print = void (*)(std::string& out, const Row& row, const Answer& answer);

// How an outcome is told: `word`, `code`, then the answer's text or, without one, `text`.
struct Row {
  AnswerKind kind;
  Print print;
  std::string_view word{}, code{}, text{};
  std::string_view farewell{};  // the connection ends, for this reason
};

void say(std::string& out, const Row& row, const Answer& answer) {
  append_status(out, row.word, row.code,
                answer.text.empty() ? std::string(row.text) : printable(answer.text, kMaxReason));
}

void pass_acceptance(std::string& out, const Row&, const Answer& answer) { (out += answer.backend.line) += "\r\n"; }
// Well-formed: the back has seen to that (SIEVE-37).
void pass_refusal(std::string& out, const Row&, const Answer& answer) { ((out += "NO ") += answer.text) += "\r\n"; }

// The argument stands without quotes, as trusted peers read it (SIEVE-40).
void refer(std::string& out, const Row& row, const Answer& answer) {
  const std::string code = "REFERRAL " + referral_url("sieve", answer.referral, kPort);
  append_status(out, row.word, code, answer.text.empty() ? std::string(row.text) : printable(answer.text, kMaxReason));
}

void nothing(std::string&, const Row&, const Answer&) {}

constexpr std::string_view kTooMany = "Maximum number of connections from user+IP exceeded";
constexpr std::string_view kUnavailable = "Account is temporarily unavailable.";

constexpr std::array<Row, static_cast<size_t>(AnswerKind::kCount)> kRows{{
    {AnswerKind::Challenge, nothing},
    {AnswerKind::BackendAccepted, pass_acceptance},
    {AnswerKind::LocalAccepted, say, "OK", "", "Logged in."},
    {AnswerKind::AuthFailed, say, "NO", "", "Authentication failed."},
    {AnswerKind::AuthzFailed, say, "NO", "", "Authorization failed"},
    {AnswerKind::PasswordExpired, say, "NO", "", "Authentication failed."},
    {AnswerKind::UserDisabled, say, "NO", "", "Authentication failed."},
    {AnswerKind::TempFail, say, "NO", "TRYLATER", "Temporary authentication failure."},
    {AnswerKind::LoginDisabled, say, "NO", "", "Login disabled for this user"},
    {AnswerKind::Referral, refer, "NO", "", "Try this server instead."},
    {AnswerKind::ReferralAccepted, refer, "OK", "", "Logged in, but you should use this server instead."},
    {AnswerKind::UnsupportedMechanism, say, "NO", "", "Unsupported authentication mechanism."},
    {AnswerKind::BadEncodingInitial, say, "NO", "", "Invalid base64 data in initial response"},
    {AnswerKind::BadEncodingResponse, say, "NO", "", "Invalid base64 in response"},
    {AnswerKind::BackendRefused, pass_refusal},
    {AnswerKind::BackendUnavailable, say, "NO", "TRYLATER", kUnavailable},
    {AnswerKind::BackendMisconfigured, say, "NO", "", kUnavailable},
    {AnswerKind::TooManyConnections, say, "NO", "LIMIT/CONNECTIONS", kTooMany, kTooMany},
    {AnswerKind::InternalFailure, say, "BYE", "", "Internal login failure. Refer to server log for more information.",
     "Internal login failure"},
}};

static_assert(rows_stand_in_order(kRows, &Row::kind));

}  // namespace

void append_status(std::string& out, std::string_view word, std::string_view code, std::string_view text) {
  out += word;
  if (!code.empty()) ((out += " (") += code) += ')';
  append_text(out += ' ', text);
  out += "\r\n";
}

std::string_view append_answer(std::string& out, const Answer& answer) {
  const Row& row = kRows[static_cast<size_t>(answer.kind)];
  row.print(out, row, answer);
  return row.farewell;
}

}  // namespace postern::sieve
