#include "login/log_line.h"

#include <unistd.h>

#include <iterator>
#include <utility>

#include "base/text.h"

namespace postern {

namespace {

constexpr size_t kShownName = 80;       // CONST-19
constexpr size_t kShownMechanism = 64;  // CONST-18

// fail2ban and others read "user=<...>" up to the first bracket: a name with one would hide who is guessing.
std::string shown_name(std::string_view name) {
  std::string out;
  for (const char c : printable(name, kShownName)) {
    if (c == '<') out += "\\x3c";
    else if (c == '>') out += "\\x3e";
    else out += c;
  }
  return out;
}

void put_user(const ClientInfo& c, std::string& out) { out += shown_name(c.user); }
void put_local_part(const ClientInfo& c, std::string& out) { out += shown_name(c.user.substr(0, c.user.find('@'))); }
void put_domain(const ClientInfo& c, std::string& out) {
  if (const size_t at = c.user.find('@'); at != std::string::npos) out += shown_name(c.user.substr(at + 1));
}
void put_service(const ClientInfo& c, std::string& out) { out += c.protocol; }
void put_mechanism(const ClientInfo& c, std::string& out) { out += printable(c.mechanism, kShownMechanism); }
void put_rip(const ClientInfo& c, std::string& out) { out += c.remote.ip.text(); }
void put_lip(const ClientInfo& c, std::string& out) { out += c.local.ip.text(); }
void put_rport(const ClientInfo& c, std::string& out) { out += std::to_string(c.remote.port); }
void put_lport(const ClientInfo& c, std::string& out) { out += std::to_string(c.local.port); }
void put_real_rip(const ClientInfo& c, std::string& out) { out += c.real_remote.ip.text(); }
void put_real_lip(const ClientInfo& c, std::string& out) { out += c.real_local.ip.text(); }
void put_secured(const ClientInfo& c, std::string& out) { out += c.tls; }
void put_session(const ClientInfo& c, std::string& out) { out += c.session; }
void put_pid(const ClientInfo&, std::string& out) { out += std::to_string(::getpid()); }
void put_local_name(const ClientInfo& c, std::string& out) { out += printable(c.local_name); }
void put_client_id(const ClientInfo& c, std::string& out) { out += printable(c.client_id); }
void put_mail_pid(const ClientInfo& c, std::string& out) {
  if (c.mail_pid != 0) out += std::to_string(c.mail_pid);
}

using Put = void (*)(const ClientInfo&, std::string& out);
// In the order of LogVariable.
constexpr Put kPuts[] = {put_user,    put_local_part, put_domain,     put_service,   put_mechanism, put_rip,
                         put_lip,     put_rport,      put_lport,      put_real_rip,  put_real_lip,  put_secured,
                         put_session, put_pid,        put_local_name, put_client_id, put_mail_pid};
static_assert(std::size(kPuts) == static_cast<size_t>(LogVariable::kCount));

}  // namespace

Result<LogElements> LogElements::compile(std::string_view format) {
  auto elements = parse_log_elements(format);
  if (!elements) return Error("login_log_format_elements: " + elements.error());
  LogElements out;
  out.elements_ = std::move(*elements);
  return out;
}

std::string LogElements::fill(const ClientInfo& client) const {
  std::string out;
  out.reserve(192);
  for (const LogElement& element : elements_) {
    const size_t start = out.size();
    if (start > 0) out += ", ";
    bool said = element.always;
    for (const LogElement::Part& part : element.parts) {
      out += part.literal;
      const size_t before = out.size();
      if (part.variable) kPuts[static_cast<size_t>(*part.variable)](client, out);
      said |= out.size() > before;
    }
    if (!said) out.resize(start);
  }
  return out;
}

}  // namespace postern
