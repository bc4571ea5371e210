#include "ctl/pw.h"

#include <fmt/core.h>
#include <getopt.h>
#include <unistd.h>

#include "base/check.h"
#include "base/text.h"
#include "crypt/schemes.h"

namespace postern {

namespace {

constexpr int kExitData = 65;  // EX_DATAERR

PwOutcome failed(int status, std::string why) { return {status, {}, std::move(why)}; }

// The exit status and the words for what a check found.
struct FindingRow {
  int status;
  std::string_view error;
};
constexpr FindingRow kFindings[] = {{kExitOk, ""},
                                    {kExitNoUser, "the password does not match"},
                                    {kExitUsage, ""},
                                    {kExitData, "the hash cannot be checked"}};
static_assert(std::size(kFindings) == static_cast<size_t>(VerifyResult::kCount));

PwOutcome check(std::string_view hash, std::string_view password, const PwOptions& options) {
  if (hash.empty() || hash[0] != '{' || hash.find('}') == std::string_view::npos)
    return failed(kExitUsage, "Missing {scheme} prefix from hash");
  const Verification v = check_password(hash, password, options.scheme, false, options.user);
  const FindingRow& row = kFindings[static_cast<size_t>(v.result)];
  if (v.result == VerifyResult::Match) return {row.status, fmt::format("{} (verified)\n", hash), {}};
  return failed(row.status, fmt::format("{}{}{}", row.error, row.error.empty() || v.why.empty() ? "" : ": ", v.why));
}

std::string list() {
  std::string out;
  for (std::string_view name : scheme_names()) out.append(out.empty() ? "" : " ").append(name);
  return out + "\n";
}

}  // namespace

std::string pw_help() {
  return fmt::format(
      "Usage: posternctl {} [-l] [-s SCHEME] [-u USER] [-p PASSWORD] [-r ROUNDS] [-V] [-t HASH]\n{}\n"
      "  -s SCHEME    as {{SCHEME}} in a password database, with .b64 or .hex if wanted; default CRYPT\n"
      "  -u USER      the user name, for DIGEST-MD5\n"
      "  -p PASSWORD  instead of asking for it, twice on a terminal, one line from a pipe\n"
      "  -r ROUNDS    how much work the hash is, for schemes where that can be chosen\n"
      "  -V           check what was made\n"
      "  -t HASH      check this hash instead of making one\n"
      "  -l           list the schemes\n",
      kPwName, kPwSummary);
}

Result<PwOptions> parse_pw(int argc, char** argv) {
  PwOptions options;
  optind = 0;
  for (int c; (c = ::getopt(argc, argv, "ls:u:p:r:t:V")) != -1;) {
    if (c == 'l') options.list = true;
    else if (c == 's') options.scheme = optarg;
    else if (c == 'u') options.user = optarg;
    else if (c == 'p') options.password.emplace(optarg);
    else if (c == 't') options.hash = optarg;
    else if (c == 'V') options.verify = true;
    else if (c == 'r') {
      const auto rounds = parse_number(optarg, UINT32_MAX);
      if (!rounds) return Error(fmt::format("-r {}: not a number", printable(optarg)));
      options.rounds = static_cast<uint32_t>(*rounds);
    } else {
      return Error("wrong options");
    }
  }
  if (optind < argc) return Error(fmt::format("too many arguments: {}", printable(argv[optind])));
  return options;
}

PwOutcome run_pw(const PwOptions& options, AskPassword ask) {
  if (options.list) return {kExitOk, list(), {}};
  if (!options.hash && !is_known_scheme(options.scheme))
    return failed(kExitUsage, "Unknown scheme: " + printable(options.scheme, 40));
  const Result<SecretString> password = options.password ? Result<SecretString>(*options.password) : ask();
  if (!password) return failed(kExitUsage, password.error());
  if (options.hash) return check(*options.hash, password->reveal(), options);
  const auto made = make_password(options.scheme, {password->reveal(), options.user, options.rounds});
  if (!made) return failed(kExitUsage, made.error());
  if (options.verify) return check(made->reveal(), password->reveal(), options);
  return {kExitOk, fmt::format("{}\n", made->reveal()), {}};
}

}  // namespace postern
