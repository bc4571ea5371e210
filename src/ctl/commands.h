// What posternctl can do: one row per command, and from it parser, help and the command itself.
#ifndef POSTERN_CTL_COMMANDS_H
#define POSTERN_CTL_COMMANDS_H

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ctl/admin_client.h"

namespace postern {

// The command line behind the command's name.
struct Arguments {
  std::vector<std::string> words;
  bool one_line_each = false;       // -1
  std::string backend;              // -b, --backend
  std::vector<std::string> client;  // -x NAME=VALUE: of the client to be imagined
};

// Where a command asks, and how it shows the answer.
struct Console {
  AdminClient& client;
  bool json = false;
  std::string out, error;  // for standard output and standard error
};

// What stands behind a command's name: masks and a network, at least one of them, a user, a user and perhaps his
// password, masks, nothing.
enum class Words : uint8_t { AnyFilter, Filter, User, Login, Masks, None, kCount };

struct Command {
  std::string_view name;       // "proxy list"
  std::string_view arguments;  // "[MASK | NETWORK]..."
  std::string_view options;    // of getopt, those of kOptions
  std::string_view summary;
  std::string_view help;  // more of it, lines with their ends
  Words words;
  bool proxied;  // proxied sessions only
  int (*run)(const Command& self, const Arguments& arguments, Console& console);
};

std::span<const Command> commands();
// The command at the front of `words`, with the longest name; null when there is none.
const Command* find_command(std::span<const std::string> words);
// What the words mean: masks of users, and at most one network (ADM-1; a number is a user); or a user, a password.
Result<AdminRequest> request_from(const Command& command, const Arguments& arguments);

std::string usage_text();
std::string help_text(const Command& command);

}  // namespace postern

#endif
