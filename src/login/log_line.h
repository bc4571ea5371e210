// login_log_format_elements: "user=<%u> method=%m ..." compiled once, filled per line (LOG-1, LOG-3).
#ifndef POSTERN_LOGIN_LOG_LINE_H
#define POSTERN_LOGIN_LOG_LINE_H

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "conf/log_elements.h"
#include "login/client.h"

namespace postern {

class LogElements {
 public:
  // The error names the unknown variable.
  static Result<LogElements> compile(std::string_view format);
  // "user=<x>, method=PLAIN, rip=..."; an element whose variables are all empty is left out, except those
  // with the user's name.
  std::string fill(const ClientInfo& client) const;

 private:
  std::vector<LogElement> elements_;
};

}  // namespace postern

#endif
