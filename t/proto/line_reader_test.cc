#include "proto/line_reader.h"

#include <gtest/gtest.h>

#include <string>

namespace postern {
namespace {

using Status = Line::Status;

TEST(NextLine, TakesCrlfAndBareLf) {
  const Line crlf = next_line("NOOP\r\nrest", 100);
  EXPECT_EQ(crlf.status, Status::Complete);
  EXPECT_EQ(crlf.text, "NOOP");
  EXPECT_EQ(crlf.taken, 6u);
  const Line lf = next_line("NOOP\nrest", 100);
  EXPECT_EQ(lf.text, "NOOP");
  EXPECT_EQ(lf.taken, 5u);
}

TEST(NextLine, LeavesOtherCarriageReturnsAndNul) {
  const std::string odd("a\rb\0c\r\r\n", 8);
  const Line line = next_line(odd, 100);
  EXPECT_EQ(line.text, std::string_view("a\rb\0c\r", 6));
  EXPECT_TRUE(has_nul(line.text));
  EXPECT_FALSE(has_nul("abc"));
}

TEST(NextLine, EmptyLines) {
  EXPECT_EQ(next_line("\r\n", 0).taken, 2u);
  EXPECT_EQ(next_line("\n", 0).taken, 1u);
  EXPECT_EQ(next_line("", 0).status, Status::Incomplete);
}

TEST(NextLine, CountsWithoutTheLineEnd) {
  EXPECT_EQ(next_line("12345\r\n", 5).status, Status::Complete);
  EXPECT_EQ(next_line("123456\n", 5).status, Status::TooLong);
  EXPECT_EQ(next_line("123456\r\n", 5).status, Status::TooLong);
  EXPECT_EQ(next_line("12345\r", 5).status, Status::Incomplete);
  EXPECT_EQ(next_line("123456", 5).status, Status::Incomplete);
  EXPECT_EQ(next_line("1234567", 5).status, Status::TooLong);
  EXPECT_EQ(next_line("1234567", 5).taken, 0u);
}

}  // namespace
}  // namespace postern
