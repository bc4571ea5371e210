// What %-variables there are (AUTH-32), and where their values come from.
#ifndef POSTERN_AUTH_VARIABLE_NAMES_H
#define POSTERN_AUTH_VARIABLE_NAMES_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace postern {

enum class Variable : uint8_t {
  User,
  Username,
  Domain,
  DomainFirst,
  DomainLast,
  Service,
  LocalIp,
  LocalPort,
  RemoteIp,
  RemotePort,
  RealLocalIp,
  RealLocalPort,
  RealRemoteIp,
  RealRemotePort,
  Pid,
  Mechanism,
  Password,
  Secured,
  Cert,
  Session,
  SessionPid,
  ClientId,
  LoginUser,
  LoginUsername,
  LoginDomain,
  MasterUser,
  OriginalUser,
  OriginalUsername,
  OriginalDomain,
  AuthUser,
  AuthUsername,
  AuthDomain,
  LocalName,
  LoginAttempt,
  SslJa3Hash,
  SslClientCertFp,
  SslClientCertPubkeyFp,
  Sender,
  Recipient,    // of the envelope, local deliveries only
  Home,         // of the userdb, local logins only
  PassdbField,  // %{passdb:NAME}; has an argument
  UserdbField,  // %{userdb:NAME}; likewise
  kCount,
  Nothing  // what functions without an input begin with; it has no name and is never asked for
};

// 2.3's long name ("user", "passdb"); how variables are named in WorkerLookup. Not for Nothing.
std::string_view name_of(Variable variable);
// By 2.3's or 2.4's name.
std::optional<Variable> find_variable(std::string_view long_name);
// By 2.3's letter.
std::optional<Variable> find_variable(char letter);
// Whether it is a field of a database, which is named behind a ':'.
bool has_argument(Variable variable);

// What is the same for every request: env:NAME, system:NAME, process:NAME, hostname, uid, gid. Nothing for other names.
std::optional<std::string> global_value(std::string_view name);

// Where values come from.
class Variables {
 public:
  virtual ~Variables() = default;
  // Empty when there is none. `argument` is the field name for PassdbField and UserdbField, else empty.
  virtual std::string value(Variable variable, std::string_view argument) const = 0;
};

// 2.3's %n and %d: before and after the first @; no @ gives the whole and nothing.
std::string_view user_part(std::string_view user);
std::string_view domain_part(std::string_view user);

}  // namespace postern

#endif
