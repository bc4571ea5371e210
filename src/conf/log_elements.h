// login_log_format_elements as a syntax: which elements there are and what is in them (LOG-1, LOG-3). The values are
// the login process's (login/log_line.h).
#ifndef POSTERN_CONF_LOG_ELEMENTS_H
#define POSTERN_CONF_LOG_ELEMENTS_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace postern {

enum class LogVariable : uint8_t {
  User,
  Username,
  Domain,
  Service,
  Mechanism,
  RemoteIp,
  LocalIp,
  RemotePort,
  LocalPort,
  RealRemoteIp,
  RealLocalIp,
  Secured,
  Session,
  Pid,
  LocalName,
  ClientId,
  MailPid,  // the process of a local mail program; proxied sessions have none
  kCount
};

struct LogElement {
  struct Part {
    std::string literal;  // before the variable
    std::optional<LogVariable> variable;
  };
  std::vector<Part> parts;
  // Shown even when all its variables are empty: none are in it, or the user's name is.
  bool always = false;
};

// The Error says which variable is unknown and which are not.
Result<std::vector<LogElement>> parse_log_elements(std::string_view format);

}  // namespace postern

#endif
