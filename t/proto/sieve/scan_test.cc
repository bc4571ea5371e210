#include "proto/sieve/scan.h"

#include <gtest/gtest.h>
#include <string.h>

namespace postern::sieve {
namespace {

using std::string;
using enum Scan::Status;

std::vector<string> values(const Scan& scan) {
  std::vector<string> out;
  for (const Argument& argument : scan.arguments) out.push_back(argument.text());
  return out;
}

TEST(SieveScan, KindsAndValues) {
  const Scan scan = scan_line("NOOP \"a\\\"b\" {2+}\r\n\r\n {0}\n\r\nrest", 100);
  EXPECT_EQ(scan.status, Complete);
  EXPECT_EQ(values(scan), (std::vector<string>{"NOOP", "a\"b", "\r\n", ""}));
  EXPECT_EQ(scan.arguments[2].kind, Argument::Kind::Literal);
  EXPECT_EQ(scan.taken, string("NOOP \"a\\\"b\" {2+}\r\n\r\n {0}\n\r\n").size());
}

TEST(SieveScan, IsTheSameForEveryPrefix) {
  const string line = "X \"abc\" {3+}\r\nxyz atom\r\n";
  for (size_t n = 0; n < line.size(); ++n) EXPECT_EQ(scan_line(line.substr(0, n), 100).status, Incomplete) << n;
  EXPECT_EQ(scan_line(line, 100).status, Complete);
}

// The limit is that of the line without its end, and a cut in the bytes does not move it.
TEST(SieveScan, LimitsDoNotDependOnCuts) {
  for (size_t n = 0; n < 12; ++n) {
    const string line = string(n, 'x') + "\r\n";
    EXPECT_EQ(scan_line(line, 10).status, n <= 10 ? Complete : TooLong) << n;
    for (size_t cut = 0; cut < line.size(); ++cut)
      EXPECT_EQ(scan_line(line.substr(0, cut), 10).status, cut <= 11 ? Incomplete : TooLong) << n << " " << cut;
  }
}

TEST(SieveScan, LiteralsAreBoundedByWhatTheyAnnounce) {
  EXPECT_EQ(scan_line("X {90+}\r\n", 100).status, Incomplete);
  const Scan big = scan_line("X {92+}\r\n", 100);
  EXPECT_EQ(big.status, BigLiteral);
  EXPECT_EQ(big.literal, 92u);
  EXPECT_EQ(big.taken, 9u);
  EXPECT_EQ(scan_line("X {18446744073709551615+}\r\n", 100).status, BigLiteral);
  EXPECT_EQ(scan_line("X {18446744073709551616+}\r\n", 100).status, BigLiteral);
  EXPECT_EQ(scan_line("X {-1}\r\n", 100).status, Broken);
  EXPECT_EQ(scan_line("X {00000000000000000000000000000001}\r\nx\r\n", 100).status, Broken);
}

TEST(SieveScan, BrokenLinesTellWhatTheirEndAnnounces) {
  EXPECT_EQ(scan_line("X ( {8+}\r\n", 100).literal, 8u);
  EXPECT_EQ(scan_line("X {3}\r\nabc( {8}\n", 100).literal, 8u);
  EXPECT_EQ(scan_line("X {3}\r\nabc(\r\n", 100).literal, 0u) << "what is read already is announced no more";
  for (const char* line : {"X ( {8+} \r\n", "X ( {}\r\n", "X ( 8}\r\n", "X ( {8+\r\n", "X ( {-8}\r\n"})
    EXPECT_EQ(scan_line(line, 100).literal, 0u) << line;
}

TEST(SieveScan, BrokenLinesAreTakenWhole) {
  for (const char* line : {"X \"a\tb\"c\r\n", "X (\r\n", "X {1\r\n", "X \"\xc3(\"\r\n", "X a\"b\"\r\n"}) {
    const Scan scan = scan_line(line, 100);
    EXPECT_EQ(scan.status, Broken) << line;
    EXPECT_EQ(scan.taken, strlen(line)) << line;
    EXPECT_FALSE(scan.why.empty());
  }
}

TEST(SieveStatus, PartsOfALine) {
  const auto status = parse_status("NO (REFERRAL \"a) (b\") \"text \\\" x\"");
  ASSERT_TRUE(status);
  EXPECT_EQ(status->word, "NO");
  EXPECT_EQ(status->code, "REFERRAL \"a) (b\"");
  EXPECT_TRUE(status->well_formed);
  EXPECT_TRUE(parse_status("OK")->well_formed);
  EXPECT_TRUE(parse_status("OK (X)")->well_formed);
}

TEST(SieveStatus, WhatMustNotBeShown) {
  for (const char* line :
       {"NO text", "NO (X \"a)", "NO \"a\" b", "NO (X", "NO \"a", "NO {3}", "NO \"\x01\"", "NO \"\xff\""})
    EXPECT_FALSE(parse_status(line)->well_formed) << line;
  EXPECT_FALSE(parse_status("\"OK\""));
  EXPECT_FALSE(parse_status(""));
}

TEST(SieveStrings, ExactAndForPeople) {
  string out;
  append_string(out, "a  \"\\b");
  EXPECT_EQ(out, "\"a  \\\"\\\\b\"");
  out.clear();
  append_string(out, "a\r\nb");
  EXPECT_EQ(out, "{4}\r\na\r\nb");
  out.clear();
  append_text(out, "a \t b\xff\xc3\xa9");
  EXPECT_EQ(out, "\"a b\xc3\xa9\"");
}

}  // namespace
}  // namespace postern::sieve
