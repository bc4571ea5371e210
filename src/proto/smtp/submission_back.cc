#include "proto/smtp/submission_back.h"

#include "base/text.h"
#include "proto/back.h"
#include "proto/smtp/steps.h"
#include "proto/smtp/xclient.h"

namespace postern::smtp {

namespace {

// BackPlan::learned.flags: what the last EHLO offered and where we are; XCLIENT's attributes stand above kAttributes.
enum Flag : uint32_t { kStartTls = 1, kAuth = 2, kXclientSent = 4, kInitialWaits = 8 };
constexpr unsigned kAttributes = 8;
constexpr size_t kMaxAuthLine = 510;  // SUB-41

bool has(const BackPlan& plan, Flag flag) { return (plan.learned.flags & flag) != 0; }

// --- banner ----------------------------------------------------------------------

Verdict take_banner(const Reply& reply, BackPlan& plan, StepResult& result) {
  if (reply.code != 220) return failed(result, FailureClass::Protocol, "Invalid banner: " + reply.summary());
  if (has_unsafe_credentials(plan)) return failed(result, FailureClass::Auth, "Credentials contain control characters");
  if (plan.authenticate && !choose_sasl(plan))
    return failed(result, FailureClass::Internal, "Unsupported SASL mechanism " + printable(plan.mechanism));
  return Verdict::Next;
}

// --- EHLO (SUB-37) ---------------------------------------------------------------

struct Keyword {
  std::string_view start;  // a blank at the end: something must follow
  void (*learn)(std::string_view rest, BackPlan& plan);
};
constexpr Keyword kKeywords[] = {
    {"STARTTLS", [](std::string_view rest, BackPlan& plan) { plan.learned.flags |= rest.empty() ? kStartTls : 0u; }},
    {"AUTH ", [](std::string_view, BackPlan& plan) { plan.learned.flags |= kAuth; }},
    {"XCLIENT ",
     [](std::string_view rest, BackPlan& plan) { plan.learned.flags |= offered_attributes(rest) << kAttributes; }},
};

void learn(std::string_view line, BackPlan& plan) {
  for (const Keyword& keyword : kKeywords) {
    const std::string_view rest =
        istarts_with(line, keyword.start) ? line.substr(keyword.start.size()) : std::string_view();
    if (istarts_with(line, keyword.start) && (!keyword.start.ends_with(' ') || !trim(rest).empty()))
      keyword.learn(rest, plan);
  }
}

void send_ehlo(BackPlan& plan, std::string& out) {
  plan.learned.flags &= kXclientSent;  // SEC-9
  out += "EHLO " + plan.hostname + "\r\n";
}

ProtocolFacts told_to_xclient(const BackPlan& plan) {
  ProtocolFacts facts;
  for (const auto& [name, value] : plan.from_front)
    if (!plan.authenticate || name != "LOGIN") facts.emplace_back(name, value);
  if (!plan.authenticate && find_fact(facts, "LOGIN").empty()) set_fact(facts, "LOGIN", plan.login_name);
  return facts;
}

XclientCommands xclient_commands(const BackPlan& plan) {
  return format_xclient(XclientForm::Submission, plan.forward, told_to_xclient(plan),
                        plan.learned.flags >> kAttributes);
}

bool wants_xclient(const BackPlan& plan) {
  return plan.trusted && !has(plan, kXclientSent) && xclient_commands(plan).count > 0;
}

// Nothing stands between us and the login.
Verdict ready(BackPlan& plan, StepResult& result) {
  if (!plan.authenticate) {
    result.accepted.line = "235 2.7.0 Logged in.";  // SUB-46
    return Verdict::Accepted;
  }
  if (!has(plan, kAuth)) return failed(result, FailureClass::RemoteConfig, "Authentication is not offered");
  return Verdict::Next;
}

template <bool InTheClear>
Verdict take_ehlo(const Reply& reply, BackPlan& plan, StepResult& result) {
  if (reply.kind() != 2) return failed(result, FailureClass::Protocol, "EHLO failed: " + reply.summary());
  // The first line is the server's name.
  for (size_t i = 1; i < reply.lines.size(); ++i) learn(trim(reply.lines[i]), plan);
  if (InTheClear && plan.tls == TlsUse::StartTls)
    return has(plan, kStartTls) ? Verdict::Next : failed(result, FailureClass::RemoteConfig, "STARTTLS not supported");
  return wants_xclient(plan) ? Verdict::Next : ready(plan, result);
}

// --- STARTTLS, XCLIENT -------------------------------------------------------------

Verdict take_starttls(const Reply& reply, BackPlan&, StepResult& result) {
  if (reply.code == 220) return Verdict::UpgradeTls;
  return failed(result, FailureClass::Remote, "STARTTLS failed: " + reply.summary());
}

void send_xclient(BackPlan& plan, std::string& out) {
  const XclientCommands commands = xclient_commands(plan);
  plan.learned.awaited = commands.count;
  plan.learned.flags |= kXclientSent;
  out += commands.text;
}
Verdict take_xclient(const Reply& reply, BackPlan& plan, StepResult& result) {
  if (reply.kind() != 2) return failed(result, FailureClass::RemoteRefusal, "XCLIENT failed: " + reply.summary());
  return --plan.learned.awaited > 0 ? Verdict::More : Verdict::Next;
}
bool sent_xclient(const BackPlan& plan) { return has(plan, kXclientSent); }

// --- AUTH (SUB-41 to SUB-45) ---------------------------------------------------------

void send_auth(BackPlan& plan, std::string& out) {
  const std::string command = "AUTH " + to_upper(mechanism_of(plan));
  std::string initial = " ";
  append_initial(initial, initial_response(plan));
  out += command;
  if (command.size() + initial.size() <= kMaxAuthLine) out += initial;
  else plan.learned.flags |= kInitialWaits;
  out += "\r\n";
  secure_zero(initial.data(), initial.size());
}

// It was too long for the command: an empty challenge asks for it. The mechanism begins anew, it has no state by then.
Verdict send_initial(std::string_view challenge, BackPlan& plan, StepResult& result) {
  if (!challenge.empty()) return failed(result, FailureClass::Protocol, "Unexpected AUTH challenge");
  plan.learned.flags &= ~uint32_t{kInitialWaits};
  choose_sasl(plan);
  append_base64(result.send, initial_response(plan));
  result.send += "\r\n";
  return Verdict::More;
}

Verdict take_challenge(const Reply& reply, BackPlan& plan, StepResult& result) {
  if (reply.lines.size() != 1) return failed(result, FailureClass::Protocol, "Invalid AUTH challenge");
  const std::string_view encoded = trim(reply.lines.front());
  return has(plan, kInitialWaits) ? send_initial(encoded, plan, result) : answer_challenge(encoded, plan, result);
}

// 4xx says nothing of the password. A 421 is the end of this channel for client and server alike: nothing to try again.
Verdict take_refusal(const Reply& reply, StepResult& result) {
  if (reply.enhanced() == "5.2.900")  // SUB-45; we follow none
    return failed(result, FailureClass::RemoteConfig, "Redirected: " + reply.summary());
  const bool temporary = reply.kind() == 4;
  result.failure.what = temporary && reply.code != 421 ? FailureClass::AuthTempFail : FailureClass::Auth;
  result.failure.log_text = reply.summary();
  result.failure.reply = reply.text();
  result.failure.passes_always = temporary;
  result.failure.has_code = !reply.enhanced().empty();
  return Verdict::Failed;
}

Verdict take_auth(const Reply& reply, BackPlan& plan, StepResult& result) {
  if (reply.code == 334) return take_challenge(reply, plan, result);
  if (reply.kind() == 3) return failed(result, FailureClass::Protocol, "Invalid reply to AUTH: " + reply.summary());
  if (reply.kind() != 2) return take_refusal(reply, result);
  if (!confirm_sasl({}, plan, result)) return Verdict::Failed;
  result.accepted.line = reply.text();
  return Verdict::Accepted;
}

}  // namespace

constinit const Step kSubmissionSteps[7] = {
    {"banner", always, nullptr, read_reply<take_banner>},
    {"ehlo", always, send_ehlo, read_reply<take_ehlo<true>>},
    {"starttls", wants_tls, send_starttls, read_reply<take_starttls>},
    {"tls-ehlo", wants_tls, send_ehlo, read_reply<take_ehlo<false>>},
    {"xclient", wants_xclient, send_xclient, read_reply<take_xclient>, Flight::Always},
    {"xclient-ehlo", sent_xclient, send_ehlo, read_reply<take_ehlo<false>>},
    {"authenticate", always, send_auth, read_reply<take_auth>},
};

}  // namespace postern::smtp
