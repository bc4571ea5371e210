#include "ctl/pw.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/check.h"

namespace postern {
namespace {

Result<PwOptions> parse(std::vector<std::string> words) {
  words.insert(words.begin(), "pw");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  return parse_pw(static_cast<int>(words.size()), argv.data());
}

PwOutcome run(std::vector<std::string> words) {
  const auto options = parse(std::move(words));
  if (!options) return {kExitUsage, {}, options.error()};
  return run_pw(*options, [] { return Result<SecretString>(SecretString("asked")); });
}

TEST(Pw, Makes) {
  EXPECT_EQ(run({"-s", "sha1", "-p", "secret"}).out, "{SHA1}5en6G6MezRroT3XKqkdPOmY/BfQ=\n");
  EXPECT_EQ(run({"-s", "SHA1", "-V", "-p", "secret"}).out, "{SHA1}5en6G6MezRroT3XKqkdPOmY/BfQ= (verified)\n");
  EXPECT_EQ(run({"-s", "PLAIN"}).out, "{PLAIN}asked\n");
  EXPECT_EQ(run({"-p", "x"}).out.find("{CRYPT}$2y$05$"), 0u) << "as doveadm pw";
}

TEST(Pw, Checks) {
  EXPECT_EQ(run({"-t", "{PLAIN}asked"}).out, "{PLAIN}asked (verified)\n");
  EXPECT_EQ(run({"-t", "{PLAIN}other"}).status, kExitNoUser);
  EXPECT_EQ(run({"-t", "{SHA1}x"}).status, 65);
  EXPECT_EQ(run({"-t", "{SKEY}x"}).error, "Unknown scheme SKEY");
  EXPECT_EQ(run({"-t", "x"}).error, "Missing {scheme} prefix from hash");
}

TEST(Pw, CommandLine) {
  EXPECT_EQ(run({"-r", "-1"}).error, "-r -1: not a number");
  EXPECT_EQ(run({"x"}).error, "too many arguments: x");
  EXPECT_EQ(run({"-s", "OTP", "-p", "x"}).error, "Unknown scheme: OTP");
  EXPECT_NE(run({"-l"}).out.find(" SSHA256 "), std::string::npos);
  EXPECT_EQ(parse({"-u", "joe", "-r", "7"})->rounds, 7u);
}

}  // namespace
}  // namespace postern
