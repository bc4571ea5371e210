#include "proto/sieve/back.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "proto/back.h"
#include "proto/sieve/scan.h"
#include "proto/xclient.h"

namespace postern::sieve {

namespace {

// BackPlan::learned.flags
enum Flag : uint32_t { kXclient = 1, kStartTls = 2, kSasl = 4, kForwardLeftOut = 8, kLiteralChallenge = 16 };

bool has(const BackPlan& plan, Flag flag) { return (plan.learned.flags & flag) != 0; }

// --- capability blocks (SIEVE-24, SIEVE-27) ------------------------------------------

// The strings of a line that has nothing but quoted ones; empty when it has something else.
std::vector<std::string> quoted_strings(std::string_view line) {
  const std::string whole = std::string(line) + '\n';
  const Scan scan = scan_line(whole, line.size());
  if (scan.status != Scan::Status::Complete) return {};
  std::vector<std::string> out;
  for (const Argument& argument : scan.arguments) {
    if (argument.kind != Argument::Kind::Quoted) return {};
    out.push_back(argument.text());
  }
  return out;
}

// False: this is no capability.
bool learn(const std::vector<std::string>& words, BackPlan& plan) {
  if (words.empty() || words.size() > 2) return false;
  if (iequals(words[0], "STARTTLS")) plan.learned.flags |= kStartTls;
  if (iequals(words[0], "XCLIENT")) plan.learned.flags |= kXclient;
  if (!iequals(words[0], "SASL")) return true;
  if (words.size() < 2) return false;
  if (!trim(words[1]).empty()) plan.learned.flags |= kSasl;
  return true;
}

// SIEVE-29: no list, no password.
Verdict may_authenticate(BackPlan& plan, StepResult& result) {
  if (has(plan, kSasl)) return Verdict::Next;
  return failed(result, FailureClass::RemoteConfig, "Server doesn't support SASL authentication (TLS required?)");
}

// One line of a block; `refusal` is the class of a NO or BYE at its end, `ready` decides behind its OK.
Verdict read_block(std::string_view line, BackPlan& plan, StepResult& result, FailureClass refusal,
                   Verdict (*ready)(BackPlan&, StepResult&)) {
  if (line.starts_with('"')) {
    if (!learn(quoted_strings(line), plan))
      return failed(result, FailureClass::Protocol, "Invalid capability: " + printable(line));
    return Verdict::More;
  }
  const auto status = parse_status(line);
  if (status && iequals(status->word, "OK")) return ready(plan, result);
  const bool says_no = status && (iequals(status->word, "NO") || iequals(status->word, "BYE"));
  return failed(result, says_no ? refusal : FailureClass::Protocol, "Invalid greeting: " + printable(line));
}

Verdict check_plan(BackPlan& plan, StepResult& result) {
  if (has_unsafe_credentials(plan)) return failed(result, FailureClass::Auth, "Credentials contain control characters");
  if (!choose_sasl(plan))
    return failed(result, FailureClass::Internal, "Unsupported SASL mechanism " + printable(plan.mechanism));
  if (plan.tls != TlsUse::StartTls) return may_authenticate(plan, result);
  if (!has(plan, kStartTls)) return failed(result, FailureClass::RemoteConfig, "STARTTLS not supported");
  return Verdict::Next;
}

Verdict read_banner(std::string_view line, BackPlan& plan, StepResult& result) {
  return read_block(line, plan, result, FailureClass::Protocol, check_plan);
}

// --- STARTTLS (SIEVE-26, SIEVE-27) ------------------------------------------------------

bool wants_starttls(const BackPlan& plan) { return plan.tls == TlsUse::StartTls; }
void send_starttls(BackPlan&, std::string& out) { out += "STARTTLS\r\n"; }

Verdict read_starttls(std::string_view line, BackPlan& plan, StepResult& result) {
  const auto status = parse_status(line);
  if (!status || !iequals(status->word, "OK"))
    return failed(result, FailureClass::Remote, "STARTTLS failed: " + printable(line));
  plan.learned.flags = 0;  // SEC-9: nothing that was said in the clear counts
  return Verdict::UpgradeTls;
}

// The backend sends its capabilities again, unasked.
Verdict read_block_in_tls(std::string_view line, BackPlan& plan, StepResult& result) {
  return read_block(line, plan, result, FailureClass::Remote, may_authenticate);
}

// --- XCLIENT (SIEVE-28, DECISIONS 1) ------------------------------------------------------

bool wants_xclient(const BackPlan& plan) { return plan.trusted && has(plan, kXclient); }

void send_xclient(BackPlan& plan, std::string& out) {
  const XclientLine line = format_xclient(plan.forward);
  if (!line.complete) plan.learned.flags |= kForwardLeftOut;
  out += line.text + "\r\n";
}

Verdict read_xclient(std::string_view line, BackPlan& plan, StepResult& result) {
  const auto status = parse_status(line);
  if (!status || !iequals(status->word, "OK"))
    return failed(result, FailureClass::RemoteRefusal, "XCLIENT failed: " + printable(line));
  if (has(plan, kForwardLeftOut))
    result.log_error = "XCLIENT without FORWARD: the forward_ fields are too long for one line";
  return Verdict::Next;
}

// --- AUTHENTICATE (SIEVE-29, SIEVE-30, SIEVE-34 to SIEVE-39) --------------------------------

void send_authenticate(BackPlan& plan, std::string& out) {
  out += "AUTHENTICATE \"" + to_upper(mechanism_of(plan)) + "\"";
  if (const SecretString initial = initial_response(plan); !initial.empty()) {
    append_base64(out += " \"", initial);
    out += '"';
  }
  out += "\r\n";
}

Verdict respond(std::string_view encoded, BackPlan& plan, StepResult& result) {
  const auto response = response_to(encoded, plan, result);
  if (!response) return Verdict::Failed;
  append_base64(result.send += '"', *response);
  result.send += "\"\r\n";
  return Verdict::More;
}

// What a code in a backend's NO means (SIEVE-37). No code, another one: the credentials.
struct CodeRow {
  std::string_view code;
  FailureClass what;
};
constexpr std::array<CodeRow, 3> kCodes{{
    {"TRYLATER/NORETRY", FailureClass::Remote},
    {"TRYLATER", FailureClass::AuthTempFail},
    {"LIMIT", FailureClass::Auth},
}};

bool is_code(std::string_view code, std::string_view wanted) {
  if (!istarts_with(code, wanted)) return false;
  return code.size() == wanted.size() || code[wanted.size()] == '/' || code[wanted.size()] == ' ';
}

Verdict refused(const StatusLine& status, StepResult& result) {
  BackendFailure& failure = result.failure;
  failure.what = FailureClass::Auth;
  failure.log_text = printable(status.rest);
  if (status.well_formed && status.rest.size() <= kMaxBackendReply) failure.reply = status.rest;
  failure.has_code = !status.code.empty();
  for (const CodeRow& row : kCodes) {
    if (!is_code(status.code, row.code)) continue;
    failure.what = row.what;
    failure.passes_always = true;
    break;
  }
  return Verdict::Failed;
}

// Byte for byte (SIEVE-34), but no control bytes (SEC-7); an escape of those would be none here.
std::string without_controls(std::string_view line) {
  std::string out(line);
  std::replace_if(
      out.begin(), out.end(),
      [](char c) {
        return has_control({&c, 1});
      },
      ' ');
  return out;
}

// OK (SASL "..."): the last word of the mechanism (RFC 5804 section 2.1).
std::string final_data(const StatusLine& status) {
  if (!istarts_with(status.code, "SASL ")) return {};
  const auto words = quoted_strings(status.code.substr(5));
  return words.size() == 1 ? std::string(words[0]) : std::string();
}

Verdict read_outcome(std::string_view line, BackPlan& plan, StepResult& result) {
  const auto status = parse_status(line);
  if (status && iequals(status->word, "OK")) {
    if (!confirm_sasl(final_data(*status), plan, result)) return Verdict::Failed;
    result.accepted.line = without_controls(line);
    return Verdict::Accepted;
  }
  if (status && iequals(status->word, "NO")) return refused(*status, result);
  return failed(result, FailureClass::Auth, printable(line));
}

// "{n}" announces a challenge on a line of its own: base64 has no line end in it.
bool announces_literal(std::string_view line) { return line.starts_with('{') && line.ends_with('}'); }

Verdict read_authenticate(std::string_view line, BackPlan& plan, StepResult& result) {
  if (has(plan, kLiteralChallenge)) {
    plan.learned.flags &= ~static_cast<uint32_t>(kLiteralChallenge);
    return respond(line, plan, result);
  }
  if (announces_literal(line)) {
    plan.learned.flags |= kLiteralChallenge;
    return Verdict::More;
  }
  if (!line.starts_with('"')) return read_outcome(line, plan, result);
  const auto words = quoted_strings(line);
  if (words.size() != 1)
    return failed(result, FailureClass::Protocol, "Invalid AUTHENTICATE challenge: " + printable(line));
  return respond(words[0], plan, result);
}

}  // namespace

constinit const Step kSteps[5] = {
    {"banner", always, nullptr, read_banner},
    {"starttls", wants_starttls, send_starttls, read_starttls},
    {"tls-ready", wants_starttls, nullptr, read_block_in_tls},
    {"xclient", wants_xclient, send_xclient, read_xclient},
    {"authenticate", always, send_authenticate, read_authenticate},
};

}  // namespace postern::sieve
