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
  bool one_line_each = false;  // -1
  std::string backend;         // -b, --backend
};

// Where a command asks, and how it shows the answer.
struct Console {
  AdminClient& client;
  bool json = false;
  std::string out, error;  // for standard output and standard error
};

struct Command {
  std::string_view name;       // "proxy list"
  std::string_view arguments;  // "[MASK | NETWORK]..."
  std::string_view options;    // of getopt, those of kOptions
  std::string_view summary;
  std::string_view help;       // more of it, lines with their ends
  bool needs_filter;           // a mask, a network or a backend must be given
  bool proxied;                // proxied sessions only
  int (*run)(const Command& self, const Arguments& arguments, Console& console);
};

std::span<const Command> commands();
// The command at the front of `words`, with the longest name; null when there is none.
const Command* find_command(std::span<const std::string> words);
// What the words mean: masks of users, and at most one network (ADM-1; a number is a user).
Result<AdminRequest> request_from(const Command& command, const Arguments& arguments);

std::string usage_text();
std::string help_text(const Command& command);

}  // namespace postern

#endif
