// %-templates: Dovecot 2.3's short and long forms with modifiers, and 2.4's pipes (AUTH-32, AUTH-33).
// Compiled once at load; an unknown variable or filter is an error there, never an empty string later.
#ifndef POSTERN_AUTH_VARIABLES_H
#define POSTERN_AUTH_VARIABLES_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace postern {

enum class Variable : uint8_t {
  User, Username, Domain, DomainFirst, DomainLast, Service, LocalIp, LocalPort, RemoteIp, RemotePort,
  RealLocalIp, RealLocalPort, RealRemoteIp, RealRemotePort, Pid, Mechanism, Password, Secured, Cert, Session,
  ClientId, LoginUser, LoginUsername, LoginDomain, MasterUser, OriginalUser, OriginalUsername, OriginalDomain,
  AuthUser, AuthUsername, AuthDomain, LocalName, LoginAttempt,
  Sender, Recipient,  // of the envelope, local deliveries only
  Home,         // of the userdb, local logins only
  PassdbField,  // %{passdb:NAME}; has an argument
  UserdbField,  // %{userdb:NAME}; likewise
  kCount
};

// 2.3's long name ("user", "passdb"); how variables are named in WorkerLookup.
std::string_view name_of(Variable variable);
std::optional<Variable> find_variable(std::string_view long_name);

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

// What happens to a variable's value, in order.
struct VariableFilter {
  enum class Kind : uint8_t { Lower, Upper, EscapeQuotes, Hex, Reverse, Trim, Md5, User, Domain, Default, Substr, kCount };
  Kind kind = Kind::Lower;
  std::string text{};               // Default: what to use for an empty value
  int offset = 0, width = 0;        // Substr: negative counts from the end; width 0: the rest
};

class Template {
 public:
  struct Part {
    std::string literal;  // goes before the variable
    std::optional<Variable> variable;
    std::string argument;
    std::vector<VariableFilter> filters;
  };

  Template() = default;
  // The Error names the position in `text`.
  static Result<Template> compile(std::string_view text);
  // One variable at text[at] == '%', or an escaped percent sign; moves `at` behind it and appends to `parts`. For
  // parsers with a syntax of their own around variables.
  static Status compile_one(std::string_view text, size_t& at, std::vector<Part>& parts);

  bool is_constant() const;
  bool uses(Variable variable) const;
  const std::vector<Part>& parts() const { return parts_; }
  std::vector<Part>& parts() { return parts_; }
  void expand_to(const Variables& variables, std::string& out) const;
  std::string expand(const Variables& variables) const;

 private:
  std::vector<Part> parts_;
};

}  // namespace postern

#endif
