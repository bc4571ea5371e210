#include "proto/smtp/reply.h"

#include <gtest/gtest.h>

namespace postern::smtp {
namespace {

using State = ReplyReader::State;

Reply read(std::initializer_list<std::string_view> lines) {
  ReplyReader reader;
  State state = State::More;
  for (std::string_view line : lines) state = reader.take(line);
  EXPECT_EQ(state, State::Complete);
  return reader.reply();
}

// SUB-38
TEST(SmtpReply, HasLinesOfOneCode) {
  const Reply reply = read({"250-mx.example.org", "250-", "250 SIZE 10"});
  EXPECT_EQ(reply.code, 250u);
  EXPECT_EQ(reply.lines, (std::vector<std::string>{"mx.example.org", "", "SIZE 10"}));
  EXPECT_EQ(read({"250-a", "250"}).lines.size(), 2u);
}

TEST(SmtpReply, IsBrokenOtherwise) {
  for (std::string_view line : {"", "2", "25", "abc", "199 x", "560 x", "250x", "2500", "+OK", "HTTP/1.0 400"})
    EXPECT_EQ(ReplyReader().take(line), State::Broken) << line;
  ReplyReader reader;
  EXPECT_EQ(reader.take("250-a"), State::More);
  EXPECT_EQ(reader.take("251 b"), State::Broken);
  EXPECT_STREQ(reader.why(), "Inconsistent reply");
}

// SUB-42
TEST(SmtpReply, IsBounded) {
  ReplyReader reader;
  for (unsigned i = 0; i < ReplyReader::kMaxLines; ++i) ASSERT_EQ(reader.take("250-x"), State::More);
  EXPECT_EQ(reader.take("250 x"), State::Broken);
  ReplyReader wide;
  const std::string line = "250-" + std::string(4000, 'x');
  State state = State::More;
  for (unsigned i = 0; i < 10 && state == State::More; ++i) state = wide.take(line);
  EXPECT_EQ(state, State::Broken);
}

TEST(SmtpReply, MayHaveAnEnhancedCode) {
  EXPECT_EQ(enhanced_code("5.7.8 no"), "5.7.8");
  EXPECT_EQ(enhanced_code("2.123.456"), "2.123.456");
  for (std::string_view text : {"", "5", "5.7", "5.7.", "5.7.8x", "3.0.0 x", "5..8", "5.1234.1 x", "52.1.1"})
    EXPECT_EQ(enhanced_code(text), "") << text;
  EXPECT_EQ(read({"535 5.7.8 no"}).enhanced(), "5.7.8");
  EXPECT_EQ(read({"535 2.7.8 no"}).enhanced(), "");
  EXPECT_EQ(read({"535"}).enhanced(), "");
}

// SUB-42, SEC-7
TEST(SmtpReply, IsPassedOnWithoutContradictionsAndControls) {
  EXPECT_EQ(read({"235-2.7.0 one", "235 2.7.0 two"}).text(), "235-2.7.0 one\r\n235 2.7.0 two");
  EXPECT_EQ(read({"535 2.7.8 no"}).text(), "535 no");
  EXPECT_EQ(read({"535"}).text(), "535 ");
  EXPECT_EQ(read({"535 a\rb\x1b[0m"}).text(), "535 a\\x0db\\x1b[0m");
}

TEST(SmtpReply, IsWritten) {
  EXPECT_EQ(format_reply(535, "5.7.8", "no"), "535 5.7.8 no\r\n");
  EXPECT_EQ(format_reply(334, "", ""), "334 \r\n");
  EXPECT_EQ(format_lines(250, {"a", "b"}), "250-a\r\n250 b\r\n");
}

}  // namespace
}  // namespace postern::smtp
