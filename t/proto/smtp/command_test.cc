#include "proto/smtp/command.h"

#include <gtest/gtest.h>

namespace postern::smtp {
namespace {

using namespace std::string_view_literals;

// SUB-1
TEST(SmtpCommand, IsAVerbAndParameters) {
  const auto mail = parse_command("mail FROM:<a@b> SIZE=1");
  ASSERT_TRUE(mail);
  EXPECT_EQ(mail->verb, "MAIL");
  EXPECT_EQ(mail->parameters, "FROM:<a@b> SIZE=1");
  const auto quit = parse_command("QUIT \t ");
  ASSERT_TRUE(quit);
  EXPECT_EQ(quit->verb, "QUIT");
  EXPECT_EQ(quit->parameters, "");
  EXPECT_TRUE(parse_command(std::string(32, 'x')));
}

TEST(SmtpCommand, HasASyntax) {
  for (std::string_view line :
       {"NOOP  x"sv, "NOOP\tx"sv, "FOO1"sv, "NO\0OP"sv, "NOOP x\ry"sv, "NOOP\r"sv, "NOOP \x7f"sv})
    EXPECT_FALSE(parse_command(line)) << line;
  EXPECT_FALSE(parse_command(std::string(33, 'x')));
}

// Recorded: an unknown command, no syntax error.
TEST(SmtpCommand, MayBeMissing) {
  for (std::string_view line : {"", " ", " NOOP"}) {
    const auto command = parse_command(line);
    ASSERT_TRUE(command) << line;
    EXPECT_EQ(command->verb, "") << line;
  }
  EXPECT_FALSE(parse_command(" \x01"));
}

// SUB-2
TEST(SmtpCommand, TakesUtf8InParametersOnly) {
  EXPECT_TRUE(parse_command("MAIL FROM:<\xc3\xa4@b>"));
  EXPECT_FALSE(parse_command("MAIL FROM:<\xc3@b>"));
  EXPECT_FALSE(parse_command("MAIL FROM:<\xed\xa0\x80@b>"));
  EXPECT_FALSE(parse_command("\xc3\xa4 x"));
  EXPECT_FALSE(is_ascii_text("\xc3\xa4"));
}

// SUB-3
TEST(SmtpLineCutter, ReportsALongLineOnceAndSkipsIt) {
  LineCutter cutter;
  EXPECT_EQ(cutter.skip("abcdef"), 0u);
  EXPECT_EQ(cutter.next("abcdef", 4).status, Line::Status::TooLong);
  EXPECT_EQ(cutter.skip("abcdef"), 6u);
  EXPECT_EQ(cutter.skip("gh\r\nNOOP\r\n"), 4u);
  EXPECT_EQ(cutter.skip("NOOP\r\n"), 0u);
  EXPECT_EQ(cutter.next("NOOP\r\n", 4).text, "NOOP");
}

TEST(SmtpLineCutter, DiscardsWhatWasAnnounced) {
  LineCutter cutter;
  cutter.discard(5);
  EXPECT_EQ(cutter.skip("abc"), 3u);
  EXPECT_EQ(cutter.skip("deQUIT\r\n"), 2u);
  EXPECT_EQ(cutter.skip("QUIT\r\n"), 0u);
}

TEST(SmtpCommand, LimitsParameters) {
  EXPECT_EQ(command_limit("NOOP xyz", 10), 15u);
  EXPECT_EQ(command_limit(std::string(50, 'x'), 10), 43u);
}

TEST(SmtpCommand, KnowsStrings) {
  for (std::string_view text : {"x", "\"a b\"", "\"a\\\"b\"", "\"\""}) EXPECT_TRUE(is_string(text)) << text;
  for (std::string_view text : {"", "\"", "\"\\\"", "a b", "a\"b", "\"a\"b\"", "(x)"})
    EXPECT_FALSE(is_string(text)) << text;
}

TEST(SmtpCommand, KnowsDomains) {
  for (std::string_view text : {"mx.example.org", "localhost", "[127.0.0.1]", "[IPv6:::1]", "a_b"})
    EXPECT_TRUE(is_domain(text)) << text;
  for (std::string_view text : {"", "a b", "a;b", "[]", "[127.0.0.1", "[a]b]", "a\xc3\xa4"})
    EXPECT_FALSE(is_domain(text)) << text;
  EXPECT_FALSE(is_domain(std::string(256, 'a')));
}

TEST(SmtpCommand, ReadsChunks) {
  EXPECT_EQ(parse_chunk("10")->size, 10u);
  EXPECT_TRUE(parse_chunk("0 last")->last);
  for (std::string_view text : {"", "x", "-1", "10 LASt x", "99999999999999999999", "1 "})
    EXPECT_FALSE(parse_chunk(text)) << text;
}

}  // namespace
}  // namespace postern::smtp
