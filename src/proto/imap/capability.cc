#include "proto/imap/capability.h"

#include "proto/sasl_policy.h"

namespace postern::imap {

namespace {

constexpr std::string_view kBase = "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE";

bool login_disabled(const FrontSettings& settings, const ConnectionFacts& facts) {
  return !may_send_password(settings, facts) || (facts.secured && settings.mechanism("PLAIN") == nullptr);
}

}  // namespace

void append_capabilities(std::string& out, const FrontSettings& settings, const ConnectionFacts& facts) {
  const std::string_view given = settings.capability;
  const bool explicit_list = !given.empty() && !given.starts_with('+');
  if (explicit_list) {
    out += given;
  } else {
    out += kBase;
    if (given.size() > 1) {
      if (given[1] != ' ') out += ' ';
      out += given.substr(1);
    }
    out += settings.literal_minus ? " LITERAL-" : " LITERAL+";
  }
  if (facts.tls_available && !facts.tls_active) out += " STARTTLS";
  if (login_disabled(settings, facts)) out += " LOGINDISABLED";
  for (const auto& mechanism : settings.mechanisms)
    if (is_offered(mechanism, settings, facts)) (out += " AUTH=") += mechanism.name;
}

}  // namespace postern::imap
