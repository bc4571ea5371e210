// posternctl(8): one command for the running daemon.
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <optional>

#include "base/check.h"
#include "base/text.h"
#include "conf/reader.h"
#include "config.h"
#include "ctl/commands.h"
#include "ctl/password.h"
#include "ctl/pw.h"
#include "paths.h"

namespace postern {

namespace {

struct Options {
  std::string file, socket;
  bool json = false;
};

constexpr option kGlobalOptions[] = {{"json", no_argument, nullptr, 'j'},
                                     {"help", no_argument, nullptr, 'h'},
                                     {"version", no_argument, nullptr, 'V'},
                                     {}};
constexpr option kCommandOptions[] = {{"backend", required_argument, nullptr, 'b'},
                                      {"json", no_argument, nullptr, 'j'},
                                      {"help", no_argument, nullptr, 'h'},
                                      {}};

void print(FILE* where, const std::string& text) { ::fwrite(text.data(), 1, text.size(), where); }

int fail(int status, const std::string& why) { return print(stderr, "posternctl: " + why + "\n"), status; }

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

// Where the daemon of this configuration answers; a daemon without root has its default elsewhere.
std::string socket_in(const std::string& base_dir) {
  const std::string path = base_dir + "/" + std::string(kAdminSocket);
  const char* runtime = ::getenv("XDG_RUNTIME_DIR");
  if (base_dir != Settings().text(Key::base_dir) || exists(path) || runtime == nullptr) return path;
  const std::string own = std::string(runtime) + "/postern/" + std::string(kAdminSocket);
  return exists(own) ? own : path;
}

Result<std::string> find_socket(const Options& options) {
  if (!options.socket.empty()) return options.socket;
  const std::string file = options.file.empty() ? POSTERN_SYSCONFDIR "/postern.conf" : options.file;
  // Who may not read the configuration may still speak to the socket.
  if (options.file.empty() && ::access(file.c_str(), R_OK) != 0) return socket_in(Settings().text(Key::base_dir));
  const LoadedConfiguration loaded = load_configuration(file, {});
  if (!loaded.ok()) return Error(loaded.errors[0]);
  return socket_in(loaded.configuration.settings.text(Key::base_dir));
}

int show_help(std::span<const std::string> words) {
  if (words.empty()) return print(stdout, usage_text()), kExitOk;
  if (words[0] == kPwName) return print(stdout, pw_help()), kExitOk;
  const Command* command = find_command(words);
  if (command == nullptr) return fail(kExitUsage, "no command " + words[0]);
  return print(stdout, help_text(*command)), kExitOk;
}

// The options behind the command's name; nothing when they are wrong.
std::optional<Arguments> parse_arguments(const Command& command, int argc, char** argv, Options& options, bool& help) {
  Arguments arguments;
  const std::string letters = std::string(command.options) + "jh";
  optind = 0;
  for (int c; (c = ::getopt_long(argc, argv, letters.c_str(), kCommandOptions, nullptr)) != -1;) {
    if (c == '1') arguments.one_line_each = true;
    else if (c == 'b') arguments.backend = optarg;
    else if (c == 'x') arguments.client.push_back(optarg);
    else if (c == 'j') options.json = true;
    else if (c == 'h') help = true;
    else return std::nullopt;
  }
  arguments.words.assign(argv + optind, argv + argc);
  return arguments;
}

int run_command(const Command& command, int argc, char** argv, Options options) {
  bool help = false;
  const auto arguments = parse_arguments(command, argc, argv, options, help);
  if (!arguments) return print(stderr, help_text(command)), kExitUsage;
  if (help) return print(stdout, help_text(command)), kExitOk;
  // What is wrong with the command line is said without a daemon.
  if (const auto request = request_from(command, *arguments); !request) return fail(kExitUsage, request.error());
  const auto socket = find_socket(options);
  if (!socket) return fail(kExitConfig, socket.error());
  AdminClient client;
  if (const auto outcome = client.connect(*socket); outcome.status != kExitOk)
    return fail(outcome.status, outcome.error);
  Console console{client, options.json, {}, {}};
  const int status = command.run(command, *arguments, console);
  print(stdout, console.out);
  return console.error.empty() ? status : fail(status, console.error);
}

// pw asks nobody: no configuration, no daemon.
int run_pw(int argc, char** argv) {
  const auto options = parse_pw(argc, argv);
  if (!options) return print(stderr, "posternctl: " + options.error() + "\n" + pw_help()), kExitUsage;
  const PwOutcome outcome = run_pw(*options, [] { return ask_password(AskTimes::Twice); });
  print(stdout, outcome.out);
  return outcome.error.empty() ? outcome.status : fail(outcome.status, outcome.error);
}

int ctl_main(int argc, char** argv) {
  Options options;
  for (int c; (c = ::getopt_long(argc, argv, "+c:s:jhV", kGlobalOptions, nullptr)) != -1;) {
    if (c == 'c') options.file = optarg;
    else if (c == 's') options.socket = optarg;
    else if (c == 'j') options.json = true;
    else if (c == 'h') return show_help({});
    else if (c == 'V') return print(stdout, "posternctl " PACKAGE_VERSION "\n"), kExitOk;
    else return print(stderr, usage_text()), kExitUsage;
  }
  const std::vector<std::string> words(argv + optind, argv + argc);
  if (words.empty()) return print(stderr, usage_text()), kExitUsage;
  if (words[0] == "help") return show_help(std::span(words).subspan(1));
  if (words[0] == kPwName) return run_pw(argc - optind, argv + optind);
  const Command* command = find_command(words);
  if (command == nullptr) return print(stderr, "posternctl: no command " + words[0] + "\n" + usage_text()), kExitUsage;
  // getopt wants a program's name in front: the last word of the command's takes its place.
  const int skip = optind + static_cast<int>(split_words(command->name).size()) - 1;
  return run_command(*command, argc - skip, argv + skip, std::move(options));
}

}  // namespace

}  // namespace postern

int main(int argc, char** argv) { return postern::ctl_main(argc, argv); }
