// posternctl pw: makes and checks stored passwords (AUTH-26). Needs no daemon.
#ifndef POSTERN_CTL_PW_H
#define POSTERN_CTL_PW_H

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"

namespace postern {

inline constexpr std::string_view kPwName = "pw", kPwSummary = "Make or check a stored password.";

struct PwOptions {
  std::string scheme = "CRYPT";          // -s
  std::string user;                      // -u
  std::optional<SecretString> password;  // -p
  uint32_t rounds = 0;                   // -r; 0: what is usual
  std::optional<std::string> hash;       // -t: checked instead of making one
  bool list = false;                     // -l
  bool verify = false;                   // -V: what was made is checked, too
};

struct PwOutcome {
  int status = 0;
  std::string out, error;  // for standard output and standard error
};

// argv[0] is the command's name.
Result<PwOptions> parse_pw(int argc, char** argv);
std::string pw_help();

// Where a password comes from that was not on the command line.
using AskPassword = Result<SecretString> (*)();
PwOutcome run_pw(const PwOptions& options, AskPassword ask);

}  // namespace postern

#endif
