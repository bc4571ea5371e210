// IMAP towards backends (spec section 2.2 to 2.4). Tags are single letters: I, S, C, L.
#include <array>

#include "base/text.h"
#include "proto/back.h"
#include "proto/imap/front.h"
#include "proto/imap/protocol.h"
#include "proto/imap/strings.h"

namespace postern::imap {

namespace {

// BackPlan::learned.flags, from the banner only (PXI-9).
enum Flag : uint32_t { kSaslIr = 1, kLoginDisabled = 2, kId = 4, kStartTls = 8 };

bool has(const BackPlan& plan, Flag flag) { return (plan.learned.flags & flag) != 0; }

// --- capabilities ----------------------------------------------------------------

// The list is repeated to the client between brackets.
void learn_list(std::string_view list, BackPlan& plan) {
  const std::string_view shown = list.substr(0, list.find(']'));
  plan.learned.capabilities = printable(shown, shown.size());
  plan.learned.has_capabilities = true;
}

void learn_from_banner(std::string_view text, BackPlan& plan) {
  static constexpr std::array<std::pair<std::string_view, Flag>, 4> kWords{
      {{"SASL-IR", kSaslIr}, {"LOGINDISABLED", kLoginDisabled}, {"ID", kId}, {"STARTTLS", kStartTls}}};
  const auto list = capability_code(text);
  if (!list) return;
  learn_list(*list, plan);
  for (const auto& [word, flag] : kWords)
    if (has_word(*list, word)) plan.learned.flags |= flag;
}

// --- lines without a tag of ours (PXI-19) ------------------------------------------

// SEC-7: nothing that was read in the clear when there was to be TLS; control bytes never.
void forward(std::string_view line, BackPlan& plan, StepResult& result) {
  if (plan.tls != TlsUse::None && !plan.learned.tls_active) return;
  (result.to_client += printable(line, line.size())) += "\r\n";
}
void remember_capabilities(std::string_view line, BackPlan& plan, StepResult&) {
  learn_list(line.substr(line.find(' ', 2) + 1), plan);
}
void drop(std::string_view, BackPlan&, StepResult&) {}

struct Untagged {
  std::string_view word;
  void (*take)(std::string_view line, BackPlan& plan, StepResult& result);
};
// BYE is dropped: the close behind it decides.
constexpr std::array<Untagged, 5> kUntagged{
    {{"* CAPABILITY ", remember_capabilities}, {"* ID ", drop}, {"* ID", drop}, {"* BYE ", drop}, {"* ", forward}}};

Verdict read_untagged(std::string_view line, BackPlan& plan, StepResult& result) {
  for (const Untagged& row : kUntagged) {
    const bool whole = !row.word.ends_with(' ');
    if (whole ? !iequals(line, row.word) : !istarts_with(line, row.word)) continue;
    row.take(line, plan, result);
    return Verdict::Aside;
  }
  return Verdict::NotMine;
}

// What stands behind "<tag> " when `line` answers it.
std::optional<std::string_view> tagged(std::string_view line, char tag) {
  if (line.size() < 2 || line[0] != tag || line[1] != ' ') return std::nullopt;
  return line.substr(2);
}

// Splits "OK text" into its first word and the rest; the blank may be missing ("L OK").
struct Status {
  std::string_view word, rest;
};
Status split_status(std::string_view reply) {
  const size_t end = reply.find(' ');
  if (end == std::string_view::npos) return {reply, {}};
  return {reply.substr(0, end), reply.substr(end + 1)};
}

// --- banner (PXI-8, PXI-9) -----------------------------------------------------------

// What the banner already shows to be impossible.
Verdict check_plan(BackPlan& plan, StepResult& result) {
  const bool lacks_starttls = plan.learned.has_capabilities && !has(plan, kStartTls);
  if (plan.tls == TlsUse::StartTls && lacks_starttls)
    return failed(result, FailureClass::RemoteConfig, "STARTTLS not supported");
  if (uses_plain_login(plan)) {
    if (plan.tls == TlsUse::None && has(plan, kLoginDisabled))
      return failed(result, FailureClass::RemoteConfig, "LOGINDISABLED advertised, but SSL/TLS not enabled");
    return Verdict::Next;
  }
  if (!choose_sasl(plan))
    return failed(result, FailureClass::Internal, "Unsupported SASL mechanism " + std::string(mechanism_of(plan)));
  return Verdict::Next;
}

Verdict read_banner(std::string_view line, BackPlan& plan, StepResult& result) {
  const bool ok = istarts_with(line, "* OK ") || iequals(line, "* OK");
  if (!ok) return failed(result, FailureClass::Protocol, "Invalid banner: " + printable(line));
  if (line.size() > 5) learn_from_banner(line.substr(5), plan);
  return check_plan(plan, result);
}

// --- STARTTLS (PXI-12, PXI-13) --------------------------------------------------------

bool wants_starttls(const BackPlan& plan) { return plan.tls == TlsUse::StartTls; }
void send_starttls(BackPlan&, std::string& out) { out += "S STARTTLS\r\n"; }

Verdict read_starttls(std::string_view line, BackPlan& plan, StepResult& result) {
  const auto reply = tagged(line, 'S');
  if (!reply) return read_untagged(line, plan, result);
  if (!iequals(split_status(*reply).word, "OK"))
    return failed(result, FailureClass::Remote, "STARTTLS failed: " + printable(*reply));
  // A list read in the clear is not shown to the client; that there was one still decides what is asked.
  plan.learned.capabilities.clear();
  return Verdict::UpgradeTls;
}

// --- ID (PXI-10) -------------------------------------------------------------------------

bool wants_id(const BackPlan& plan) { return plan.trusted && has(plan, kId); }

void append_pair(std::string& out, std::string_view key, std::string_view value) {
  ((out += '"') += key) += "\" ";
  append_string(out, value);
}

void send_id(BackPlan& plan, std::string& out) {
  const ForwardFacts& facts = plan.forward;
  out += "I ID (";
  if (!facts.client_id.empty()) (out += facts.client_id) += ' ';
  append_pair(out, "x-session-id", facts.session);
  append_pair(out += ' ', "x-originating-ip", facts.remote.ip.text());
  append_pair(out += ' ', "x-originating-port", std::to_string(facts.remote.port));
  append_pair(out += ' ', "x-connected-ip", facts.local.ip.text());
  append_pair(out += ' ', "x-connected-port", std::to_string(facts.local.port));
  append_pair(out += ' ', "x-proxy-ttl", std::to_string(facts.ttl));
  for (const auto& [name, value] : facts.forward) {
    append_string(out += ' ', "x-forward-" + name);
    out += ' ';
    if (value.empty()) out += "NIL";
    else append_string(out, value);
  }
  out += ")\r\n";
}

// PXI-17: whatever the answer, the login goes on.
template <char Tag>
Verdict read_any_status(std::string_view line, BackPlan& plan, StepResult& result) {
  return tagged(line, Tag) ? Verdict::Next : read_untagged(line, plan, result);
}

// --- CAPABILITY (PXI-14) --------------------------------------------------------------------

bool wants_capability(const BackPlan& plan) { return plan.client_asked_capabilities || !plan.learned.has_capabilities; }
void send_capability(BackPlan&, std::string& out) { out += "C CAPABILITY\r\n"; }

// --- the login and its outcome (PXI-15, PXI-30 to PXI-45) ---------------------------------------

void send_login(BackPlan& plan, std::string& out) {
  append_string(out += "L LOGIN ", plan.user);
  append_string(out += ' ', plan.password.reveal());
  out += "\r\n";
}

Verdict refused(std::string_view text, StepResult& result) {
  BackendFailure& failure = result.failure;
  failure.what = FailureClass::Auth;
  failure.log_text = printable(text);
  const auto coded = split_code(text);
  if (!coded && text.starts_with('[')) return Verdict::Failed;  // a code that does not end is no text for people
  failure.reply = printable(text, kMaxBackendReply);
  if (!coded) return Verdict::Failed;
  failure.has_code = true;
  const std::string_view word = split_status(coded->code).word;
  if (iequals(word, "UNAVAILABLE")) failure.what = FailureClass::AuthTempFail;
  failure.passes_always = !iequals(word, "AUTHENTICATIONFAILED");
  return Verdict::Failed;
}

Verdict accepted(std::string_view text, BackPlan& plan, StepResult& result) {
  if (!confirm_sasl({}, plan, result)) return Verdict::Failed;
  result.accepted.line = printable(text, text.size());
  result.accepted.capabilities = plan.learned.capabilities;
  return Verdict::Accepted;
}

Verdict read_outcome(std::string_view line, BackPlan& plan, StepResult& result) {
  const auto reply = tagged(line, 'L');
  if (!reply) return read_untagged(line, plan, result);
  const Status status = split_status(*reply);
  if (iequals(status.word, "OK")) return accepted(status.rest, plan, result);
  if (iequals(status.word, "NO")) return refused(status.rest, result);
  return failed(result, FailureClass::Auth, printable(*reply));
}

// Literals go out without waiting (PXI-18), so a continuation says nothing new.
Verdict read_login(std::string_view line, BackPlan& plan, StepResult& result) {
  return line.starts_with('+') ? Verdict::More : read_outcome(line, plan, result);
}

// --- AUTHENTICATE (PXI-15, PXI-18) -------------------------------------------------------------

void send_authenticate(BackPlan& plan, std::string& out) {
  out += "L AUTHENTICATE ";
  out += to_upper(mechanism_of(plan));
  if (has(plan, kSaslIr)) append_initial(out += ' ', initial_response(plan));
  out += "\r\n";
}

Verdict read_authenticate(std::string_view line, BackPlan& plan, StepResult& result) {
  return line.starts_with('+') ? answer_challenge(line.substr(1), plan, result) : read_outcome(line, plan, result);
}

constexpr Step kSteps[] = {
    {"banner", always, nullptr, read_banner},
    {"starttls", wants_starttls, send_starttls, read_starttls},
    {"id", wants_id, send_id, read_any_status<'I'>, Flight::Piped},
    {"capability", wants_capability, send_capability, read_any_status<'C'>, Flight::Piped},
    {"login", uses_plain_login, send_login, read_login},
    {"authenticate", uses_sasl, send_authenticate, read_authenticate, Flight::Alone, "auth-continue"},
};

}  // namespace

constinit const Protocol kImap{
    .name = "imap",
    .login_service = "imap-login",
    .mail_service = "imap",
    .back = {.port = 143, .tls_port = 993, .alpn = "imap", .steps = kSteps, .state_form = StateForm::SentAndReceived},
    .has_referral = true,
    .sasl_service = "imap",
    .takes_anonymous = true,
    .make_front = make_front,
    .read_program_greeting = read_program_greeting,
};

}  // namespace postern::imap
