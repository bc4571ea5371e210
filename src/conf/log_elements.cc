#include "conf/log_elements.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace postern {

namespace {

struct Name {
  std::string_view short_name, name;
  LogVariable variable;
};

constexpr Name kNames[] = {
    {"u", "user", LogVariable::User},
    {"n", "username", LogVariable::Username},
    {"d", "domain", LogVariable::Domain},
    {"s", "service", LogVariable::Service},
    {"", "protocol", LogVariable::Service},
    {"m", "mech", LogVariable::Mechanism},
    {"", "mechanism", LogVariable::Mechanism},
    {"r", "rip", LogVariable::RemoteIp},
    {"", "remote_ip", LogVariable::RemoteIp},
    {"l", "lip", LogVariable::LocalIp},
    {"", "local_ip", LogVariable::LocalIp},
    {"b", "rport", LogVariable::RemotePort},
    {"", "remote_port", LogVariable::RemotePort},
    {"a", "lport", LogVariable::LocalPort},
    {"", "local_port", LogVariable::LocalPort},
    {"", "real_rip", LogVariable::RealRemoteIp},
    {"", "real_lip", LogVariable::RealLocalIp},
    {"c", "secured", LogVariable::Secured},
    {"", "session", LogVariable::Session},
    {"p", "pid", LogVariable::Pid},
    {"", "local_name", LogVariable::LocalName},
    {"", "client_id", LogVariable::ClientId},
    {"e", "mail_pid", LogVariable::MailPid},
};

Result<LogVariable> find(std::string_view wanted) {
  std::string accepted;
  for (const Name& n : kNames) {
    if (n.name == wanted || (!n.short_name.empty() && n.short_name == wanted)) return n.variable;
    accepted.append(accepted.empty() ? "" : ", ").append("%{").append(n.name).append("}");
  }
  return Error("unknown variable %" + printable(wanted) + "; accepted: " + accepted);
}

// "%u" or "%{user}" at the start of `word`, which it is taken off.
Result<LogVariable> take_variable(std::string_view& word) {
  word.remove_prefix(1);
  const size_t close = word.starts_with('{') ? word.find('}') : std::string_view::npos;
  const bool is_long = close != std::string_view::npos;
  const std::string_view name = is_long ? word.substr(1, close - 1) : word.substr(0, 1);
  word.remove_prefix(is_long ? close + 1 : name.size());
  return find(name);
}

Result<LogElement> parse_element(std::string_view word) {
  LogElement element;
  LogElement::Part part;
  bool has_variables = false;
  for (size_t percent; (percent = word.find('%')) != std::string_view::npos;) {
    part.literal += word.substr(0, percent);
    word.remove_prefix(percent);
    if (word.starts_with("%%")) {
      part.literal += '%';
      word.remove_prefix(2);
      continue;
    }
    const auto variable = take_variable(word);
    if (!variable) return Error(variable.error());
    part.variable = *variable;
    has_variables = true;
    element.always |= *variable <= LogVariable::Username;
    element.parts.push_back(std::exchange(part, {}));
  }
  part.literal += word;
  if (!part.literal.empty()) element.parts.push_back(std::move(part));
  element.always |= !has_variables;
  return element;
}

}  // namespace

Result<std::vector<LogElement>> parse_log_elements(std::string_view format) {
  std::vector<LogElement> out;
  for (std::string_view word : split_words(format)) {
    auto element = parse_element(word);
    if (!element) return Error(element.error());
    out.push_back(std::move(*element));
  }
  return out;
}

}  // namespace postern
