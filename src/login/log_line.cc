#include "login/log_line.h"

#include <unistd.h>

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

}  // namespace

struct LogElements::Known {
  std::string_view short_name, name;
  Variable put;
  bool is_user = false;
};

const LogElements::Known* LogElements::find(std::string_view name) {
  static constexpr Known kKnown[] = {
      {"u", "user", put_user, true},
      {"n", "username", put_local_part, true},
      {"d", "domain", put_domain, false},
      {"s", "service", put_service, false},
      {"", "protocol", put_service, false},
      {"m", "mech", put_mechanism, false},
      {"", "mechanism", put_mechanism, false},
      {"r", "rip", put_rip, false},
      {"", "remote_ip", put_rip, false},
      {"l", "lip", put_lip, false},
      {"", "local_ip", put_lip, false},
      {"b", "rport", put_rport, false},
      {"", "remote_port", put_rport, false},
      {"a", "lport", put_lport, false},
      {"", "local_port", put_lport, false},
      {"", "real_rip", put_real_rip, false},
      {"", "real_lip", put_real_lip, false},
      {"c", "secured", put_secured, false},
      {"", "session", put_session, false},
      {"p", "pid", put_pid, false},
      {"", "local_name", put_local_name, false},
      {"", "client_id", put_client_id, false},
      // The process of a local mail program; proxied sessions have none.
      {"e", "mail_pid", put_mail_pid, false},
  };
  for (const Known& k : kKnown)
    if (k.name == name || (!k.short_name.empty() && k.short_name == name)) return &k;
  return nullptr;
}

Result<LogElements> LogElements::compile(std::string_view format) {
  LogElements out;
  for (std::string_view word : split_words(format)) {
    Element element;
    Part part;
    while (!word.empty()) {
      const size_t percent = word.find('%');
      part.literal += word.substr(0, percent);
      if (percent == std::string_view::npos) break;
      word.remove_prefix(percent + 1);
      if (word.starts_with('%')) {
        part.literal += '%';
        word.remove_prefix(1);
        continue;
      }
      const size_t close = word.starts_with('{') ? word.find('}') : std::string_view::npos;
      const std::string_view name = close != std::string_view::npos ? word.substr(1, close - 1) : word.substr(0, 1);
      const Known* known = find(name);
      if (known == nullptr) return Error("login_log_format_elements: unknown variable %" + printable(name));
      word.remove_prefix(close != std::string_view::npos ? close + 1 : name.size());
      part.variable = known->put;
      element.always |= known->is_user;
      element.has_variables = true;
      element.parts.push_back(std::exchange(part, {}));
    }
    if (!part.literal.empty()) element.parts.push_back(std::move(part));
    out.elements_.push_back(std::move(element));
  }
  return out;
}

std::string LogElements::fill(const ClientInfo& client) const {
  std::string out;
  out.reserve(192);
  for (const Element& element : elements_) {
    const size_t start = out.size();
    if (start > 0) out += ", ";
    bool said = !element.has_variables || element.always;
    for (const Part& part : element.parts) {
      out += part.literal;
      const size_t before = out.size();
      if (part.variable != nullptr) part.variable(client, out);
      said |= out.size() > before;
    }
    if (!said) out.resize(start);
  }
  return out;
}

}  // namespace postern
