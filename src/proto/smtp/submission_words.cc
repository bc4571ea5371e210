// What submission says: the EHLO reply and the outcomes of a login, as tables.
#include <algorithm>

#include "proto/sasl_policy.h"
#include "proto/smtp/submission_front.h"

namespace postern::smtp {

namespace {

// --- EHLO (SUB-8) ----------------------------------------------------------------

struct Context {
  const FrontSettings& settings;
  const ConnectionFacts& facts;

  bool lists(std::string_view name) const {
    return std::find(settings.extensions.begin(), settings.extensions.end(), name) != settings.extensions.end();
  }
  std::string if_listed(std::string_view name) const { return lists(name) ? std::string(name) : std::string(); }
};

// No mechanism, no line: "AUTH " alone is no extension (RFC 4954).
std::string auth_line(const Context& c) {
  const std::string names = offered_mechanisms(c.settings, c.facts);
  return names.empty() ? std::string() : "AUTH" + names;
}
std::string binarymime_line(const Context& c) { return c.if_listed("BINARYMIME"); }
// RFC 3030: BINARYMIME needs it.
std::string chunking_line(const Context& c) { return c.lists("CHUNKING") || c.lists("BINARYMIME") ? "CHUNKING" : ""; }
std::string size_line(const Context& c) {
  if (c.settings.max_mail_size > 0) return "SIZE " + std::to_string(c.settings.max_mail_size);
  return c.if_listed("SIZE");
}
std::string starttls_line(const Context& c) { return c.facts.tls_available && !c.facts.tls_active ? "STARTTLS" : ""; }
std::string xclient_line(const Context& c) {
  return c.facts.trusted ? "XCLIENT ADDR PORT PROTO HELO LOGIN SESSION TTL TIMEOUT FORWARD" : "";
}

// In this order; an empty line is left out.
using EhloLine = std::string (*)(const Context&);
constexpr EhloLine kEhlo[] = {
    [](const Context& c) { return c.if_listed("8BITMIME"); },
    auth_line,
    [](const Context& c) { return c.if_listed("SMTPUTF8"); },
    binarymime_line,
    [](const Context& c) { return c.lists("BURL") ? std::string("BURL imap") : std::string(); },
    chunking_line,
    [](const Context& c) { return c.if_listed("DSN"); },
    [](const Context& c) { return c.if_listed("ENHANCEDSTATUSCODES"); },
    size_line,
    starttls_line,
    [](const Context& c) { return c.if_listed("PIPELINING"); },
    [](const Context& c) { return c.if_listed("VRFY"); },
    xclient_line,
};

// --- outcomes (SUB-25) -------------------------------------------------------------

constexpr std::string_view kFailed = "Authentication failed.";
constexpr std::string_view kUnavailable = "Account is temporarily unavailable.";

constexpr AnswerRow kAnswers[] = {
    {AnswerKind::AuthFailed, 535, "5.7.8", kFailed},
    {AnswerKind::AuthzFailed, 535, "5.7.8", "Authorization failed"},
    {AnswerKind::PasswordExpired, 535, "5.7.8", kFailed},
    {AnswerKind::UserDisabled, 535, "5.7.8", kFailed},
    {AnswerKind::TempFail, 454, "4.7.0", "Temporary authentication failure."},
    {AnswerKind::LoginDisabled, 525, "5.7.13", "Login disabled for this user"},
    {AnswerKind::Referral, 535, "5.7.8", "Try this server instead."},
    {AnswerKind::UnsupportedMechanism, 504, "5.5.4", "Unsupported authentication mechanism."},
    {AnswerKind::BadEncodingInitial, 501, "5.5.2", "Invalid base64 data in initial response"},
    {AnswerKind::BadEncodingResponse, 501, "5.5.2", "Invalid base64 in response"},
    {AnswerKind::BackendUnavailable, 454, "4.7.0", kUnavailable},
    {AnswerKind::BackendMisconfigured, 454, "4.7.0", kUnavailable},
    {AnswerKind::TooManyConnections, 421, "4.7.0", "Maximum number of connections from user+IP exceeded", true},
    {AnswerKind::InternalFailure, 421, "4.3.0", "Internal login failure. Refer to server log for more information.",
     true},
};

}  // namespace

std::vector<std::string> ehlo_lines(const FrontSettings& settings, const ConnectionFacts& facts) {
  const Context context{settings, facts};
  std::vector<std::string> lines{settings.hostname};
  for (const EhloLine make : kEhlo)
    if (std::string line = make(context); !line.empty()) lines.push_back(std::move(line));
  return lines;
}

const AnswerRow* answer_row(AnswerKind kind) {
  for (const AnswerRow& row : kAnswers)
    if (row.kind == kind) return &row;
  return nullptr;
}

}  // namespace postern::smtp
