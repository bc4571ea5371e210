// The command line of postern(8), DECISIONS section 3.
#ifndef POSTERN_MASTER_OPTIONS_H
#define POSTERN_MASTER_OPTIONS_H

#include <string>
#include <vector>

#include "base/result.h"

namespace postern {

enum class Mode { Background, Foreground, Test, DumpChanged, DumpAll, Version, Help };

struct Options {
  Mode mode = Mode::Background;
  std::string file;                      // default: SYSCONFDIR/postern/postern.conf
  std::vector<std::string> assignments;  // -o, in order
  bool logs_to_stderr = false;           // -L
  bool show_secrets = false;             // -P

  bool background() const { return mode == Mode::Background; }
};

Result<Options> parse_options(int argc, char** argv);
std::string usage_text();
std::string version_text();

}  // namespace postern

#endif
