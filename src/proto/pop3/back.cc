#include "proto/pop3/back.h"

#include "base/text.h"
#include "proto/back.h"
#include "proto/xclient.h"

namespace postern::pop3 {

namespace {

enum Learned : uint32_t { kOffersXclient = 1, kForwardLeftOut = 2 };

bool is_ok(std::string_view line) { return istarts_with(line, "+OK"); }

// --- refusals (PXP-10 to PXP-12) -----------------------------------------------

struct CodeRow {
  std::string_view code;
  FailureClass what;
};

// Codes that say nothing of the password; the client hears them whatever login_proxy_mask_auth_failures says.
constexpr CodeRow kCodes[] = {
    {"[SYS/TEMP]", FailureClass::AuthTempFail},
    {"[SYS/PERM]", FailureClass::Auth},
    {"[IN-USE]", FailureClass::Auth},
    {"[LOGIN-DELAY]", FailureClass::Auth},
};

constexpr std::string_view kNo = "-ERR ";

BackendFailure refusal(std::string_view line) {
  // Something that is no refusal by the book is told as one of the credentials, but without its code.
  if (!istarts_with(line, kNo)) return {FailureClass::Auth, printable(line), "Authentication failed."};
  const std::string_view text = line.substr(kNo.size());
  BackendFailure failure{FailureClass::Auth, printable(text), printable(text, kMaxBackendReply)};
  failure.has_code = text.starts_with("[");
  for (const CodeRow& row : kCodes) {
    if (!istarts_with(text, row.code)) continue;
    failure.what = row.what;
    failure.passes_always = true;
  }
  return failure;
}

Verdict refused(std::string_view line, StepResult& result) {
  result.failure = refusal(line);
  return Verdict::Failed;
}

// --- banner --------------------------------------------------------------------

Verdict read_banner(std::string_view line, BackPlan& plan, StepResult& result) {
  if (!is_ok(line)) return failed(result, FailureClass::Protocol, "Invalid banner: " + printable(line));
  if (has_unsafe_credentials(plan)) return failed(result, FailureClass::Auth, "Credentials contain control characters");
  if (uses_sasl(plan) && !choose_sasl(plan))
    return failed(result, FailureClass::Internal, "Unsupported SASL mechanism " + printable(plan.mechanism));
  if (istarts_with(line, "+OK [XCLIENT]")) plan.learned.flags |= kOffersXclient;
  return Verdict::Next;
}

// --- STLS, XCLIENT ---------------------------------------------------------------

bool wants_tls(const BackPlan& plan) { return plan.tls == TlsUse::StartTls; }
void send_stls(BackPlan&, std::string& out) { out += "STLS\r\n"; }
Verdict read_stls(std::string_view line, BackPlan&, StepResult& result) {
  if (is_ok(line)) return Verdict::UpgradeTls;
  return failed(result, FailureClass::Remote, "STLS failed: " + printable(line));
}

bool wants_xclient(const BackPlan& plan) { return plan.trusted && (plan.learned.flags & kOffersXclient) != 0; }
void send_xclient(BackPlan& plan, std::string& out) {
  const XclientLine line = format_xclient(plan.forward);
  if (!line.complete) plan.learned.flags |= kForwardLeftOut;
  out += line.text + "\r\n";
}
Verdict read_xclient(std::string_view line, BackPlan& plan, StepResult& result) {
  if (!is_ok(line)) return failed(result, FailureClass::Remote, "XCLIENT failed: " + printable(line));
  if ((plan.learned.flags & kForwardLeftOut) != 0)
    result.log_error = "XCLIENT without FORWARD: the forward_ fields are too long for one line";
  return Verdict::Next;
}

// --- login -----------------------------------------------------------------------

void send_user(BackPlan& plan, std::string& out) { out += "USER " + plan.user + "\r\n"; }
Verdict read_user(std::string_view line, BackPlan&, StepResult& result) {
  return is_ok(line) ? Verdict::Next : refused(line, result);
}

Verdict read_login(std::string_view line, BackPlan&, StepResult& result) {
  if (!is_ok(line)) return refused(line, result);
  result.accepted.line = printable(line, line.size());
  return Verdict::Accepted;
}

void send_pass(BackPlan& plan, std::string& out) {
  out += "PASS ";
  out += plan.password.reveal();
  out += "\r\n";
}

// Always with an initial response, "=" where the mechanism has none (PXP-5).
void send_auth(BackPlan& plan, std::string& out) {
  out += "AUTH " + to_upper(mechanism_of(plan)) + " ";
  append_initial(out, initial_response(plan));
  out += "\r\n";
}

Verdict read_auth(std::string_view line, BackPlan& plan, StepResult& result) {
  if (line == "+" || line.starts_with("+ ")) return answer_challenge(line.substr(1), plan, result);
  if (is_ok(line) && !confirm_sasl({}, plan, result)) return Verdict::Failed;
  return read_login(line, plan, result);
}

}  // namespace

constinit const Step kSteps[6] = {
    {"banner", always, nullptr, read_banner},
    {"starttls", wants_tls, send_stls, read_stls},
    {"xclient", wants_xclient, send_xclient, read_xclient, Flight::Always},
    {"login1", uses_plain_login, send_user, read_user},
    {"login2", uses_plain_login, send_pass, read_login},
    {"login2", uses_sasl, send_auth, read_auth},
};

}  // namespace postern::pop3
