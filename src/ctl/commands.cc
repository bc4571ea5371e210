#include "ctl/commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/address.h"
#include "base/check.h"
#include "base/text.h"
#include "ctl/auth_commands.h"
#include "ctl/pw.h"
#include "ctl/table.h"

namespace postern {

namespace {

// Sends the request, keeps the sessions of the answer; with --json they are shown as they came.
int ask(AdminRequest request, Console& console, std::vector<AdminSession>& sessions, AdminEnd& end) {
  const auto outcome = console.client.ask(
      request, [&](const AdminSession& s) { sessions.push_back(s); },
      [&](std::string_view line) {
        if (console.json) console.out.append(line) += '\n';
      },
      end);
  if (!outcome.error.empty()) console.error = outcome.error;
  return outcome.status;
}

// A list of sessions; nothing for a filter is 67.
int list(const Command& self, const Arguments& arguments, Console& console,
         std::string (*show)(std::vector<AdminSession>&)) {
  auto request = request_from(self, arguments);
  if (!request) return console.error = request.error(), kExitUsage;
  request->command = "who";
  const bool filtered = !request->users.empty() || !request->network.empty() || !request->backend.empty();
  std::vector<AdminSession> sessions;
  AdminEnd end;
  if (const int failed = ask(std::move(*request), console, sessions, end)) return failed;
  std::stable_sort(sessions.begin(), sessions.end(), [](const auto& a, const auto& b) {
    return std::tie(a.user, a.service, a.since) < std::tie(b.user, b.service, b.since);
  });
  if (!console.json) console.out += show(sessions);
  return sessions.empty() && filtered ? kExitNoUser : kExitOk;
}

std::string destination(const AdminSession& s) { return s.host.empty() ? "-" : s.host; }

std::string show_each(std::vector<AdminSession>& sessions) {
  Table table({"username", "proto", "pid", "ip", "dest ip"});
  for (const AdminSession& s : sessions) table.add({s.user, s.service, std::to_string(s.pid), s.rip, destination(s)});
  return table.text();
}

// "(1 2)", each once.
template <class T>
std::string in_brackets(std::vector<T> items) {
  std::sort(items.begin(), items.end());
  items.erase(std::unique(items.begin(), items.end()), items.end());
  return fmt::format("({})", fmt::join(items, " "));
}

std::string show_users(std::vector<AdminSession>& sessions) {
  struct Group {
    size_t count = 0;
    std::vector<uint32_t> pids;
    std::vector<std::string> ips;
  };
  std::map<std::pair<std::string, std::string>, Group> groups;
  for (const AdminSession& s : sessions) {
    Group& group = groups[{s.user, s.service}];
    ++group.count;
    group.pids.push_back(s.pid);
    group.ips.push_back(s.rip);
  }
  Table table({"username", "#", "proto", "(pids)", "(ips)"});
  for (const auto& [name, group] : groups)
    table.add({name.first, std::to_string(group.count), name.second, in_brackets(group.pids), in_brackets(group.ips)});
  return table.text();
}

std::string show_proxied(std::vector<AdminSession>& sessions) {
  Table table({"username", "proto", "src ip", "dest ip", "port"});
  for (const AdminSession& s : sessions) table.add({s.user, s.service, s.rip, s.host, std::to_string(s.port)});
  return table.text();
}

int who(const Command& self, const Arguments& arguments, Console& console) {
  return list(self, arguments, console, arguments.one_line_each ? show_each : show_users);
}

int proxy_list(const Command& self, const Arguments& arguments, Console& console) {
  return list(self, arguments, console, show_proxied);
}

int kick(const Command& self, const Arguments& arguments, Console& console) {
  auto request = request_from(self, arguments);
  if (!request) return console.error = request.error(), kExitUsage;
  request->command = "kick";
  std::vector<AdminSession> sessions;
  AdminEnd end;
  const int status = ask(std::move(*request), console, sessions, end);
  if (!console.json && console.error.empty())
    console.out += fmt::format("{} connection{} kicked\n", end.count, end.count == 1 ? "" : "s");
  return status;
}

constexpr std::string_view kFilterHelp =
    "MASK is a user name with the wildcards * and ?, in any case; several are alternatives.\n"
    "NETWORK is an address of clients or a network like 192.0.2.0/24; one at most.\n"
    "  -b, --backend ADDRESS   only sessions at this backend\n";

constexpr std::string_view kClientHelp =
    "Without PASSWORD it is asked for. Nothing is delayed, counted or reported to a policy server.\n"
    "  -x NAME=VALUE           of the client: service, rip, lip\n";

constexpr Command kCommands[] = {
    {"who", "[MASK | NETWORK]...", "1b:", "Show who is logged in.",
     "One line for each user and service: how many sessions, their processes and client addresses.\n"
     "  -1                      one line for each session\n",
     Words::AnyFilter, false, who},
    {"kick", "[MASK | NETWORK]...", "b:", "End sessions.",
     "Backends are left at once, clients are closed over login_proxy_max_disconnect_delay.\n"
     "Logins that are on their way to a backend when the kick comes end, too.\n",
     Words::Filter, false, kick},
    {"proxy list", "[MASK | NETWORK]...", "b:", "Show proxied sessions and where they go.", "", Words::AnyFilter, true,
     proxy_list},
    {"proxy kick", "[MASK | NETWORK]...", "b:", "End proxied sessions.", "As kick, but local sessions stay.\n",
     Words::Filter, true, kick},
    {"auth test", "[-x NAME=VALUE]... USER [PASSWORD]", "x:", "Try a login at the password databases.", kClientHelp,
     Words::Login, false, try_login},
    {"auth login", "[-x NAME=VALUE]... USER [PASSWORD]", "x:", "Try a login, user databases included.", kClientHelp,
     Words::Login, false, try_login},
    {"auth lookup", "[-x NAME=VALUE]... USER", "x:", "Show what the password databases have about a user.", kClientHelp,
     Words::User, false, look_up_user},
    {"auth cache flush", "[MASK]...", "", "Forget cached answers.", "All of them, or those about users that match.\n",
     Words::Masks, false, flush_cache},
    {"auth cache status", "", "", "Show what the cache holds and how it served.", "", Words::None, false, cache_status},
};

bool begins_with(std::span<const std::string> words, const std::vector<std::string_view>& name) {
  return words.size() >= name.size() && std::equal(name.begin(), name.end(), words.begin());
}

// A mask of digits only is a user (ADM-1).
bool is_network(const std::string& word) {
  return word.find_first_of(".:/") != std::string::npos && Network::parse(word).has_value();
}

}  // namespace

std::span<const Command> commands() { return kCommands; }

const Command* find_command(std::span<const std::string> words) {
  for (const Command& command : kCommands)
    if (begins_with(words, split_words(command.name))) return &command;
  return nullptr;
}

namespace {

Status take_filter(const Command& command, const Arguments& arguments, AdminRequest& request) {
  request.proxied = command.proxied;
  request.backend = arguments.backend;
  if (!request.backend.empty() && !IpAddress::parse(request.backend))
    return Error("backend " + request.backend + ": not an address");
  for (const std::string& word : arguments.words) {
    if (!is_network(word)) {
      request.users.push_back(word);
      continue;
    }
    if (!request.network.empty()) return Error("more than one network");
    request.network = word;
  }
  if (command.words == Words::Filter && request.users.empty() && request.network.empty() && request.backend.empty())
    return Error("nothing to choose by: a mask of users, a network or --backend is needed");
  return {};
}

Status take_user(const Command& command, const Arguments& arguments, AdminRequest& request) {
  const size_t most = command.words == Words::Login ? 2 : 1;
  if (arguments.words.empty()) return Error("a user is missing");
  if (arguments.words.size() > most) return Error(arguments.words[most] + ": one word too many");
  request.user = arguments.words[0];
  if (arguments.words.size() > 1) request.password = SecretString(arguments.words[1]);
  const std::pair<std::string_view, std::string*> known[] = {
      {"service", &request.service}, {"rip", &request.rip}, {"lip", &request.lip}};
  for (const std::string& pair : arguments.client) {
    const size_t equal = pair.find('=');
    const auto* row = std::find_if(std::begin(known), std::end(known),
                                   [&](const auto& k) { return k.first == pair.substr(0, equal); });
    if (equal == std::string::npos || row == std::end(known))
      return Error("-x " + pair + ": accepted: service=NAME, rip=ADDRESS, lip=ADDRESS");
    *row->second = pair.substr(equal + 1);
  }
  return {};
}

Status take_masks(const Command& command, const Arguments& arguments, AdminRequest& request) {
  if (command.words == Words::None && !arguments.words.empty())
    return Error(arguments.words[0] + ": one word too many");
  request.users = arguments.words;
  return {};
}

}  // namespace

Result<AdminRequest> request_from(const Command& command, const Arguments& arguments) {
  using Take = Status (*)(const Command&, const Arguments&, AdminRequest&);
  constexpr Take kTakes[] = {take_filter, take_filter, take_user, take_user, take_masks, take_masks};
  static_assert(std::size(kTakes) == static_cast<size_t>(Words::kCount));
  AdminRequest request;
  request.command = command.name;
  if (const Status taken = kTakes[static_cast<size_t>(command.words)](command, arguments, request); !taken)
    return Error(taken.error());
  return request;
}

std::string usage_text() {
  std::string out =
      "Usage: posternctl [-c FILE] [-s SOCKET] [--json] COMMAND [ARGUMENT]...\n"
      "  -c FILE      configuration with the base_dir of the daemon\n"
      "  -s SOCKET    its admin socket\n"
      "  -j, --json   the daemon's answer as it is, one JSON object per line\n"
      "  -h, -V       this text; the version\n"
      "Commands:\n";
  for (const Command& command : kCommands) out += fmt::format("  {:<18} {}\n", command.name, command.summary);
  out += fmt::format("  {:<18} {}\n", kPwName, kPwSummary);
  return out + "  help COMMAND\n";
}

std::string help_text(const Command& command) {
  return fmt::format("Usage: posternctl {} {}\n{}\n{}{}", command.name, command.arguments, command.summary,
                     command.help, command.words <= Words::Filter ? kFilterHelp : std::string_view());
}

}  // namespace postern
