#include "master/options.h"

#include <event2/event.h>
#include <fmt/core.h>
#include <unistd.h>

#include "config.h"
#include "paths.h"
#include "tls/context.h"

namespace postern {

namespace {

struct Switch {
  char letter;
  void (*apply)(Options&, const char* argument);
};
// Letters with an argument are named in kWithArgument too, as getopt wants it.
constexpr char kLetters[] = "+:c:o:FLtnaPVh";
constexpr Switch kSwitches[] = {
    {'c', [](Options& o, const char* text) { o.file = text; }},
    {'o', [](Options& o, const char* text) { o.assignments.emplace_back(text); }},
    {'F', [](Options& o, const char*) { o.mode = Mode::Foreground; }},
    {'L',
     [](Options& o, const char*) {
       o.mode = Mode::Foreground;
       o.logs_to_stderr = true;
     }},
    {'t', [](Options& o, const char*) { o.mode = Mode::Test; }},
    {'n', [](Options& o, const char*) { o.mode = Mode::DumpChanged; }},
    {'a', [](Options& o, const char*) { o.mode = Mode::DumpAll; }},
    {'P', [](Options& o, const char*) { o.show_secrets = true; }},
    {'V', [](Options& o, const char*) { o.mode = Mode::Version; }},
    {'h', [](Options& o, const char*) { o.mode = Mode::Help; }},
};

Error wrong_letter(int what, int letter) {
  if (what == ':') return Error(fmt::format("option -{} needs an argument", static_cast<char>(letter)));
  return Error(fmt::format("unknown option -{}", static_cast<char>(letter)));
}

}  // namespace

Result<Options> parse_options(int argc, char** argv) {
  Options options;
  options.file = POSTERN_SYSCONFDIR "/postern.conf";
  ::optind = 0;  // glibc: start anew, tests parse more than once
  for (int letter; (letter = ::getopt(argc, argv, kLetters)) != -1;) {
    if (letter == ':' || letter == '?') return wrong_letter(letter, ::optopt);
    for (const Switch& s : kSwitches)
      if (s.letter == letter) s.apply(options, ::optarg);
  }
  if (::optind < argc) return Error(fmt::format("unexpected argument {}", argv[::optind]));
  return options;
}

std::string usage_text() {
  return "usage: postern [-FLtnaPVh] [-c FILE] [-o NAME=VALUE]...\n"
         "  -c FILE        configuration file (default " POSTERN_SYSCONFDIR
         "/postern.conf)\n"
         "  -o NAME=VALUE  set or replace one setting, e.g. service.auth.client_limit=4096\n"
         "  -F             stay in the foreground\n"
         "  -L             stay in the foreground, all logs to stderr\n"
         "  -t             check the configuration and what it names, start nothing\n"
         "  -n, -a         print the settings that differ from the defaults, all settings\n"
         "  -P             with -n, -a: show passwords and keys\n"
         "  -V, -h         version; this text\n";
}

std::string version_text() {
  std::string options;
#ifdef HAVE_SOCI
  options += " sql";
#endif
#ifdef HAVE_SOCI_MYSQL
  options += " mysql";
#endif
#ifdef HAVE_SOCI_PGSQL
  options += " pgsql";
#endif
#ifdef HAVE_SODIUM
  options += " argon2";
#endif
#ifdef HAVE_SECCOMP
  options += " seccomp";
#endif
#ifdef POSTERN_SANITIZED
  options += " sanitized";
#endif
  return fmt::format("postern {}\nlibevent {}, {}, fmt {}\noptions:{}\n", PACKAGE_VERSION, ::event_get_version(),
                     tls_library_version(), FMT_VERSION, options);
}

}  // namespace postern
