#include "base/text.h"

#include <gtest/gtest.h>

#include "base/base64.h"

namespace postern {
namespace {

using Words = std::vector<std::string_view>;

TEST(Text, ComparesWithoutCaseInAsciiOnly) {
  EXPECT_TRUE(iequals("XClient", "xCLIENT"));
  EXPECT_FALSE(iequals("a", "ab"));
  EXPECT_FALSE(iequals("\xc3\xa4", "\xc3\x84"));
  EXPECT_TRUE(istarts_with("+ok hi", "+OK"));
  EXPECT_FALSE(istarts_with("+O", "+OK"));
}

TEST(Text, SplitsWordsAndFields) {
  EXPECT_EQ(split_words("  a \tb  "), (Words{"a", "b"}));
  EXPECT_EQ(split_words(" "), Words{});
  EXPECT_EQ(split_fields("a::b", ':'), (Words{"a", "", "b"}));
  EXPECT_EQ(split_fields("", ':'), (Words{""}));
  EXPECT_EQ(trim(" \ta b\t "), "a b");
  EXPECT_EQ(trim(" \t"), "");
}

TEST(Text, ReadsNumbersWithoutAnythingElse) {
  EXPECT_EQ(parse_number("65535", 65535), 65535u);
  EXPECT_EQ(parse_number("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(parse_number("0"), 0u);
  for (const char* text : {"", "-1", "+1", " 1", "1 ", "0x1", "18446744073709551616", "99999999999999999999"})
    EXPECT_FALSE(parse_number(text)) << text;
  EXPECT_FALSE(parse_number("65536", 65535));
}

TEST(Text, MakesPeerTextPrintable) {
  EXPECT_EQ(printable(std::string_view("a\r\n\0\x7f\x1b[", 7)), "a\\x0d\\x0a\\x00\\x7f\\x1b[");
  EXPECT_EQ(printable("\xc3\xa4"), "\xc3\xa4");
  EXPECT_EQ(printable("abcdef", 3), "abc...");
  EXPECT_EQ(printable("abc", 3), "abc");
}

TEST(Text, FindsTheNearestName) {
  const Words known{"ssl_cert", "ssl_key", "login_greeting"};
  EXPECT_EQ(nearest("ssl_crt", known), "ssl_cert");
  EXPECT_EQ(nearest("login_greting", known), "login_greeting");
  EXPECT_EQ(nearest("something_else_entirely", known), "");
}

// POP-32
TEST(TabEscape, RoundTripsEveryByte) {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  EXPECT_EQ(tab_unescape(tab_escape(all)), all);
  EXPECT_EQ(tab_escape(std::string_view("\x01\t\n\r\0", 5)),
            "\x01"
            "1"
            "\x01"
            "t"
            "\x01"
            "n"
            "\x01"
            "r"
            "\x01"
            "0");
}

TEST(TabEscape, RefusesUnknownAndUnfinishedEscapes) {
  EXPECT_FALSE(tab_unescape("a\x01"));
  EXPECT_FALSE(tab_unescape("a\x01x"));
}

// RFC 4648 section 10
TEST(Base64, MatchesTheStandard) {
  const std::pair<const char*, const char*> kVectors[] = {{"", ""},
                                                          {"f", "Zg=="},
                                                          {"fo", "Zm8="},
                                                          {"foo", "Zm9v"},
                                                          {"foob", "Zm9vYg=="},
                                                          {"fooba", "Zm9vYmE="},
                                                          {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : kVectors) {
    EXPECT_EQ(base64_encode(plain), encoded);
    EXPECT_EQ(base64_decode(encoded), plain);
    const auto secret = base64_decode_secret(encoded);
    ASSERT_TRUE(secret);
    EXPECT_EQ(secret->reveal(), plain);
  }
  EXPECT_EQ(base64_encode_unpadded("foob"), "Zm9vYg");
}

TEST(Base64, IsStrict) {
  for (const char* text :
       {"Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Z===", "=", "====", "Zm 9v", "Zm9v\n", "Zm9-", "Zg==Zg=="}) {
    EXPECT_FALSE(base64_decode(text)) << text;
    EXPECT_FALSE(base64_decode_secret(text)) << text;
  }
}

}  // namespace
}  // namespace postern
