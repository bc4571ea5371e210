#include "proto/smtp/delivery_steps.h"

#include "proto/smtp/steps.h"
#include "proto/smtp/xclient.h"

namespace postern::smtp {

namespace {

// BackPlan::learned.flags: what the last greeting offered and where we are; XCLIENT's attributes stand above
// kAttributes.
enum Flag : uint32_t { kStartTls = 1, kXclientSent = 2, kHeloSent = 4 };
constexpr unsigned kAttributes = 8;

bool has(const BackPlan& plan, Flag flag) { return (plan.learned.flags & flag) != 0; }

// An orderly end.
Verdict leave(StepResult& result, FailureClass what, std::string log_text) {
  result.send = "QUIT\r\n";
  return failed(result, what, std::move(log_text));
}

Verdict take_banner(const Reply& reply, BackPlan&, StepResult& result) {
  if (reply.code == 220) return Verdict::Next;
  return leave(result, FailureClass::Protocol, "Invalid banner: " + reply.summary());
}

// --- greeting ----------------------------------------------------------------------

template <XclientForm Form>
XclientCommands xclient_commands(const BackPlan& plan) {
  return format_xclient(Form, plan.forward, plan.from_front, plan.learned.flags >> kAttributes);
}

template <XclientForm Form>
bool wants_xclient(const BackPlan& plan) {
  return plan.trusted && !has(plan, kXclientSent) && xclient_commands<Form>(plan).count > 0;
}

template <XclientForm Form>
void send_greeting(BackPlan& plan, std::string& out) {
  plan.learned.flags &= kXclientSent;  // SEC-9
  plan.learned.capabilities.clear();
  out += (Form == XclientForm::Lmtp ? "LHLO " : "EHLO ") + plan.hostname + "\r\n";
}

// The first line is the server's name.
void learn(const Reply& reply, BackPlan& plan) {
  for (size_t i = 1; i < reply.lines.size(); ++i) {
    const std::string_view line = trim(reply.lines[i]);
    if (iequals(line, "STARTTLS")) plan.learned.flags |= kStartTls;
    if (istarts_with(line, "XCLIENT ")) plan.learned.flags |= offered_attributes(line.substr(8)) << kAttributes;
    (plan.learned.capabilities += line) += '\n';
  }
}

bool knows_no_ehlo(const Reply& reply, const BackPlan& plan) {
  return (reply.code == 500 || reply.code == 502) && !has(plan, kHeloSent);
}

template <XclientForm Form, bool InTheClear>
Verdict take_greeting(const Reply& reply, BackPlan& plan, StepResult& result) {
  if (Form == XclientForm::Smtp && knows_no_ehlo(reply, plan)) {
    plan.learned.flags |= kHeloSent;
    result.send = "HELO " + plan.hostname + "\r\n";
    return Verdict::More;
  }
  if (reply.kind() != 2) return leave(result, FailureClass::Protocol, "Greeting refused: " + reply.summary());
  learn(reply, plan);
  if (InTheClear && wants_tls(plan))
    return has(plan, kStartTls) ? Verdict::Next : leave(result, FailureClass::RemoteConfig, "STARTTLS not supported");
  if (wants_xclient<Form>(plan)) return Verdict::Next;
  result.accepted.capabilities = std::move(plan.learned.capabilities);
  return Verdict::Accepted;
}

// --- STARTTLS, XCLIENT ---------------------------------------------------------------

Verdict take_starttls(const Reply& reply, BackPlan&, StepResult& result) {
  if (reply.code == 220) return Verdict::UpgradeTls;
  return leave(result, FailureClass::Remote, "STARTTLS failed: " + reply.summary());
}

template <XclientForm Form>
void send_xclient(BackPlan& plan, std::string& out) {
  const XclientCommands commands = xclient_commands<Form>(plan);
  plan.learned.awaited = commands.count;
  plan.learned.flags |= kXclientSent;
  out += commands.text;
}

// Who does not want to know of the client gets his mail all the same (LMTP-28).
Verdict take_xclient(const Reply& reply, BackPlan& plan, StepResult& result) {
  if (reply.code == 421) return failed(result, FailureClass::Remote, "XCLIENT failed: " + reply.summary());
  if (reply.kind() != 2) result.log_error = "XCLIENT refused: " + reply.summary();
  return --plan.learned.awaited > 0 ? Verdict::More : Verdict::Next;
}
bool sent_xclient(const BackPlan& plan) { return has(plan, kXclientSent); }

}  // namespace

constinit const Step kLmtpSteps[6] = {
    {"banner", always, nullptr, read_reply<take_banner>},
    {"lhlo", always, send_greeting<XclientForm::Lmtp>, read_reply<take_greeting<XclientForm::Lmtp, true>>},
    {"starttls", wants_tls, send_starttls, read_reply<take_starttls>},
    {"tls-lhlo", wants_tls, send_greeting<XclientForm::Lmtp>, read_reply<take_greeting<XclientForm::Lmtp, false>>},
    {"xclient", wants_xclient<XclientForm::Lmtp>, send_xclient<XclientForm::Lmtp>, read_reply<take_xclient>},
    {"xclient-lhlo", sent_xclient, send_greeting<XclientForm::Lmtp>,
     read_reply<take_greeting<XclientForm::Lmtp, false>>},
};

constinit const Step kSmtpSteps[6] = {
    {"banner", always, nullptr, read_reply<take_banner>},
    {"ehlo", always, send_greeting<XclientForm::Smtp>, read_reply<take_greeting<XclientForm::Smtp, true>>},
    {"starttls", wants_tls, send_starttls, read_reply<take_starttls>},
    {"tls-ehlo", wants_tls, send_greeting<XclientForm::Smtp>, read_reply<take_greeting<XclientForm::Smtp, false>>},
    {"xclient", wants_xclient<XclientForm::Smtp>, send_xclient<XclientForm::Smtp>, read_reply<take_xclient>},
    {"xclient-ehlo", sent_xclient, send_greeting<XclientForm::Smtp>,
     read_reply<take_greeting<XclientForm::Smtp, false>>},
};

}  // namespace postern::smtp
