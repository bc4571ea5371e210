#include "ctl/auth_commands.h"

#include <fmt/core.h>

#include "base/check.h"
#include "base/text.h"
#include "ctl/password.h"

namespace postern {

namespace {

// The end of the answer; what is not Ok has set console.error.
AdminEnd ask(const AdminRequest& request, Console& console) {
  AdminEnd end;
  const auto outcome = console.client.ask(
      request, [](const AdminSession&) {},
      [&](std::string_view line) {
        if (console.json) console.out.append(line) += '\n';
      },
      end);
  if (!outcome.error.empty()) console.error = outcome.error;
  end.status = outcome.status;
  return end;
}

using Fields = std::vector<std::pair<std::string, std::string>>;

// A field without value, or with the usual one, is just its name.
std::string listed(const Fields& fields) {
  std::string out;
  for (const auto& [name, value] : fields)
    out += iequals(value, "y") || iequals(value, "yes") || value.empty()
               ? fmt::format("  {}\n", printable(name))
               : fmt::format("  {}={}\n", printable(name), printable(value));
  return out;
}

std::string in_columns(const Fields& fields) {
  std::string out;
  for (const auto& [name, value] : fields) out += fmt::format("  {:<10}: {}\n", printable(name), printable(value));
  return out;
}

std::string verdict(const AdminEnd& end) {
  const std::string why = end.reason.empty() ? "" : " (" + printable(end.reason) + ")";
  if (end.result == "ok") return "auth succeeded";
  if (end.result == "temporary") return "auth failed temporarily" + why;
  return (end.result == "failed" ? "auth failed" : "auth failed: " + printable(end.result)) + why;
}

}  // namespace

int try_login(const Command& self, const Arguments& arguments, Console& console) {
  auto request = request_from(self, arguments);
  if (!request) return console.error = request.error(), kExitUsage;
  if (arguments.words.size() < 2) {
    auto password = ask_password(AskTimes::Once);
    if (!password) return console.error = password.error(), kExitUsage;
    request->password = std::move(*password);
  }
  const AdminEnd end = ask(*request, console);
  if (console.json || !console.error.empty()) return end.status;
  console.out += fmt::format("passdb: {} {}\nextra fields:\n  user={}\n{}", printable(request->user), verdict(end),
                             printable(end.user), listed(end.passdb));
  if (!end.userdb.empty()) console.out += fmt::format("userdb fields:\n{}", listed(end.userdb));
  return end.status;
}

int look_up_user(const Command& self, const Arguments& arguments, Console& console) {
  const auto request = request_from(self, arguments);
  if (!request) return console.error = request.error(), kExitUsage;
  const AdminEnd end = ask(*request, console);
  if (console.json || !console.error.empty()) return end.status == kExitNoPerm ? kExitNoUser : end.status;
  if (end.result == "ok")
    console.out += fmt::format("passdb: {}\n  user      : {}\n{}", printable(request->user), printable(end.user),
                               in_columns(end.passdb));
  else if (end.result == "temporary")
    console.error = fmt::format("passdb lookup failed temporarily{}{}; see the log", end.reason.empty() ? "" : ": ",
                                printable(end.reason));
  else console.error = fmt::format("passdb lookup: user {} doesn't exist", printable(request->user));
  return end.status == kExitNoPerm ? kExitNoUser : end.status;
}

int flush_cache(const Command& self, const Arguments& arguments, Console& console) {
  const auto request = request_from(self, arguments);
  if (!request) return console.error = request.error(), kExitUsage;
  const AdminEnd end = ask(*request, console);
  if (!console.json && console.error.empty()) console.out += fmt::format("{} cache entries flushed\n", end.count);
  return end.status;
}

int cache_status(const Command& self, const Arguments& arguments, Console& console) {
  const auto request = request_from(self, arguments);
  if (!request) return console.error = request.error(), kExitUsage;
  const AdminEnd end = ask(*request, console);
  if (!console.json && console.error.empty()) console.out += in_columns(end.passdb);
  return end.status;
}

}  // namespace postern
