#include "auth/variable_names.h"

#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <iterator>
#include <thread>

namespace postern {

namespace {

struct VariableRow {
  Variable variable;
  char letter;             // 0: none
  std::string_view name;   // 2.3
  std::string_view alias;  // 2.4, where it differs
};

constexpr VariableRow kVariables[] = {
    {Variable::User, 'u', "user", ""},
    {Variable::Username, 'n', "username", ""},
    {Variable::Domain, 'd', "domain", ""},
    {Variable::DomainFirst, 0, "domain_first", ""},
    {Variable::DomainLast, 0, "domain_last", ""},
    {Variable::Service, 's', "service", "protocol"},
    {Variable::LocalIp, 'l', "lip", "local_ip"},
    {Variable::LocalPort, 'a', "lport", "local_port"},
    {Variable::RemoteIp, 'r', "rip", "remote_ip"},
    {Variable::RemotePort, 'b', "rport", "remote_port"},
    {Variable::RealLocalIp, 0, "real_lip", "real_local_ip"},
    {Variable::RealLocalPort, 0, "real_lport", "real_local_port"},
    {Variable::RealRemoteIp, 0, "real_rip", "real_remote_ip"},
    {Variable::RealRemotePort, 0, "real_rport", "real_remote_port"},
    {Variable::Pid, 'p', "pid", "client_pid"},
    {Variable::Mechanism, 'm', "mech", "mechanism"},
    {Variable::Password, 'w', "password", ""},
    {Variable::Secured, 'c', "secured", ""},
    {Variable::Cert, 'k', "cert", ""},
    {Variable::Session, 0, "session", ""},
    {Variable::SessionPid, 0, "session_pid", ""},
    {Variable::ClientId, 0, "client_id", ""},
    {Variable::LoginUser, 0, "login_user", ""},
    {Variable::LoginUsername, 0, "login_username", ""},
    {Variable::LoginDomain, 0, "login_domain", ""},
    {Variable::MasterUser, 0, "master_user", ""},
    {Variable::OriginalUser, 0, "orig_user", "original_user"},
    {Variable::OriginalUsername, 0, "orig_username", "original_username"},
    {Variable::OriginalDomain, 0, "orig_domain", "original_domain"},
    {Variable::AuthUser, 0, "auth_user", ""},
    {Variable::AuthUsername, 0, "auth_username", ""},
    {Variable::AuthDomain, 0, "auth_domain", ""},
    {Variable::LocalName, 0, "local_name", ""},
    {Variable::LoginAttempt, 0, "login_attempt", ""},
    {Variable::SslJa3Hash, 0, "ssl_ja3_hash", ""},
    {Variable::SslClientCertFp, 0, "ssl_client_cert_fp", ""},
    {Variable::SslClientCertPubkeyFp, 0, "ssl_client_cert_pubkey_fp", ""},
    {Variable::Sender, 0, "sender", ""},
    {Variable::Recipient, 0, "recipient", ""},
    {Variable::Home, 'h', "home", ""},
    {Variable::PassdbField, 0, "passdb", ""},
    {Variable::UserdbField, 0, "userdb", ""},
};
static_assert(std::size(kVariables) == static_cast<size_t>(Variable::kCount));

utsname system_names() {
  utsname names{};
  ::uname(&names);
  return names;
}

std::string host_name() {
  const std::string name = system_names().nodename;
  return name.substr(0, name.find('.'));
}

struct GlobalRow {
  std::string_view name;
  std::string (*value)();
};
constexpr GlobalRow kGlobals[] = {
    {"hostname", host_name},
    {"uid", [] { return std::to_string(::geteuid()); }},
    {"gid", [] { return std::to_string(::getegid()); }},
    {"process:pid", [] { return std::to_string(::getpid()); }},
    {"process:uid", [] { return std::to_string(::geteuid()); }},
    {"process:gid", [] { return std::to_string(::getegid()); }},
    {"system:cpu_count", [] { return std::to_string(std::thread::hardware_concurrency()); }},
    {"system:hostname", host_name},
    {"system:os", [] { return std::string(system_names().sysname); }},
    {"system:os-version", [] { return std::string(system_names().release); }},
};
constexpr std::string_view kEnvironment = "env:";

}  // namespace

std::string_view name_of(Variable variable) { return kVariables[static_cast<size_t>(variable)].name; }

std::optional<Variable> find_variable(std::string_view long_name) {
  for (const VariableRow& row : kVariables)
    if (row.name == long_name || (!row.alias.empty() && row.alias == long_name)) return row.variable;
  return std::nullopt;
}

std::optional<Variable> find_variable(char letter) {
  for (const VariableRow& row : kVariables)
    if (row.letter == letter && letter != 0) return row.variable;
  return std::nullopt;
}

bool has_argument(Variable variable) { return variable == Variable::PassdbField || variable == Variable::UserdbField; }

std::optional<std::string> global_value(std::string_view name) {
  if (name.substr(0, kEnvironment.size()) == kEnvironment && name.size() > kEnvironment.size()) {
    const char* value = ::getenv(std::string(name.substr(kEnvironment.size())).c_str());
    return value == nullptr ? std::string() : std::string(value);
  }
  for (const GlobalRow& row : kGlobals)
    if (row.name == name) return row.value();
  return std::nullopt;
}

std::string_view user_part(std::string_view user) { return user.substr(0, user.find('@')); }

std::string_view domain_part(std::string_view user) {
  const size_t at = user.find('@');
  return at == std::string_view::npos ? std::string_view() : user.substr(at + 1);
}

}  // namespace postern
