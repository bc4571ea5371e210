// What %-variables stand for in the templates and queries of this request.
#include "auth/request.h"

namespace postern {

namespace {

std::string port_text(const Endpoint& e) { return e.port == 0 ? std::string() : std::to_string(e.port); }

using SubjectValue = std::string (*)(const AuthSubject& s);
struct SubjectRow {
  Variable variable;
  SubjectValue value;
};
constexpr SubjectRow kSubjectValues[] = {
    {Variable::Service, [](const AuthSubject& s) { return s.service; }},
    {Variable::LocalIp, [](const AuthSubject& s) { return s.local.ip.text(); }},
    {Variable::LocalPort, [](const AuthSubject& s) { return port_text(s.local); }},
    {Variable::RemoteIp, [](const AuthSubject& s) { return s.remote.ip.text(); }},
    {Variable::RemotePort, [](const AuthSubject& s) { return port_text(s.remote); }},
    {Variable::RealLocalIp, [](const AuthSubject& s) { return s.real_local.ip.text(); }},
    {Variable::RealLocalPort, [](const AuthSubject& s) { return port_text(s.real_local); }},
    {Variable::RealRemoteIp, [](const AuthSubject& s) { return s.real_remote.ip.text(); }},
    {Variable::RealRemotePort, [](const AuthSubject& s) { return port_text(s.real_remote); }},
    {Variable::Pid, [](const AuthSubject& s) { return std::to_string(s.pid); }},
    {Variable::Secured, [](const AuthSubject& s) { return s.secured; }},
    {Variable::Cert, [](const AuthSubject& s) { return std::string(s.cert_valid ? "valid" : ""); }},
    {Variable::Session, [](const AuthSubject& s) { return s.session; }},
    {Variable::ClientId, [](const AuthSubject& s) { return s.client_id; }},
    {Variable::SslClientCertFp, [](const AuthSubject& s) { return s.cert_fp; }},
    {Variable::SslClientCertPubkeyFp, [](const AuthSubject& s) { return s.cert_key_fp; }},
    {Variable::LocalName, [](const AuthSubject& s) { return s.local_name; }},
    {Variable::LoginAttempt, [](const AuthSubject& s) { return std::to_string(s.attempt); }},
};

// Variables that are a name or a part of one: which name, which part.
enum class Whose : uint8_t { Login, Original, Auth };
struct NameRow {
  Variable variable;
  Whose whose;
  Variable part;
};
constexpr NameRow kNameValues[] = {
    {Variable::LoginUser, Whose::Login, Variable::User},
    {Variable::LoginUsername, Whose::Login, Variable::Username},
    {Variable::LoginDomain, Whose::Login, Variable::Domain},
    {Variable::OriginalUser, Whose::Original, Variable::User},
    {Variable::OriginalUsername, Whose::Original, Variable::Username},
    {Variable::OriginalDomain, Whose::Original, Variable::Domain},
    {Variable::AuthUser, Whose::Auth, Variable::User},
    {Variable::AuthUsername, Whose::Auth, Variable::Username},
    {Variable::AuthDomain, Whose::Auth, Variable::Domain},
};

}  // namespace

std::string AuthRequest::value(Variable variable, std::string_view argument) const {
  if (is_name_variable(variable)) return name_variable(variable, user_);
  if (variable == Variable::Home || variable == Variable::UserdbField)
    return userdb_value(variable == Variable::Home ? "home" : argument);
  if (variable == Variable::PassdbField) return std::string(fields_.text(argument));
  if (variable == Variable::Password) return std::string(password_.reveal());
  if (variable == Variable::Mechanism) return start_.mechanism;
  if (variable == Variable::MasterUser) return master_user_;
  if (variable == Variable::Sender) return lookup_ ? lookup_->sender : std::string();
  if (variable == Variable::Recipient) return lookup_ ? lookup_->recipient : std::string();
  for (const SubjectRow& row : kSubjectValues)
    if (row.variable == variable) return row.value(start_.subject);
  for (const NameRow& row : kNameValues) {
    if (row.variable != variable) continue;
    const std::string& auth_user = master_user_.empty() ? user_ : master_user_;
    return name_variable(row.part, row.whose == Whose::Login      ? login_user_
                                   : row.whose == Whose::Original ? original_user_
                                                                  : auth_user);
  }
  return {};
}

}  // namespace postern
