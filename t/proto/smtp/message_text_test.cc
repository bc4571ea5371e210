#include "proto/smtp/message_text.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "base/text.h"

namespace postern::smtp {
namespace {

using std::string;
using std::string_view;

// What a reader makes of an input that comes in pieces, cut in front of each offset for which `is_cut` holds.
struct ReadMail {
  string text, left;
  bool complete = false;
  bool operator==(const ReadMail&) const = default;
};
void PrintTo(const ReadMail& m, std::ostream* out) {
  *out << '"' << printable(m.text, 1000) << (m.complete ? "\", then \"" : "\", incomplete \"")
       << printable(m.left, 1000) << '"';
}

ReadMail read_mail(string_view input, const std::function<bool(size_t)>& is_cut) {
  ReadMail out;
  DataReader reader;
  for (size_t from = 0; from < input.size() && !reader.at_end();) {
    size_t to = from + 1;
    while (to < input.size() && !is_cut(to)) ++to;
    const size_t taken = reader.read(input.substr(from, to - from), out.text);
    EXPECT_TRUE(taken == to - from || reader.at_end());
    from += taken;
    if (reader.at_end()) out.left = input.substr(from);
  }
  out.complete = reader.at_end();
  return out;
}

// Whole, byte by byte and cut at each position: the same.
ReadMail read_mail(string_view input) {
  const ReadMail whole = read_mail(input, [](size_t) { return false; });
  EXPECT_EQ(read_mail(input, [](size_t) { return true; }), whole) << "byte by byte";
  for (size_t at = 1; at < input.size(); ++at)
    EXPECT_EQ(read_mail(input, [at](size_t offset) { return offset == at; }), whole) << "cut at " << at;
  return whole;
}

string with_line_ends(string_view input, const std::function<bool(size_t)>& is_cut) {
  LineEnds ends;
  string out;
  for (size_t from = 0; from < input.size();) {
    size_t to = from + 1;
    while (to < input.size() && !is_cut(to)) ++to;
    ends.append(input.substr(from, to - from), out);
    from = to;
  }
  ends.finish(out);
  return out;
}

string with_line_ends(string_view input) {
  const string whole = with_line_ends(input, [](size_t) { return false; });
  EXPECT_EQ(with_line_ends(input, [](size_t) { return true; }), whole) << "byte by byte";
  for (size_t at = 1; at < input.size(); ++at)
    EXPECT_EQ(with_line_ends(input, [at](size_t offset) { return offset == at; }), whole) << "cut at " << at;
  return whole;
}

string stuffed(string_view text, size_t piece) {
  string out;
  bool in_line = false;
  for (size_t at = 0; at < text.size(); at += piece) stuff_dots(text.substr(at, piece), in_line, out);
  return out.append(end_of_data(in_line));
}

// The inner form: CRLF, and no other CR or LF.
bool has_bare_line_end(string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r')) return true;
    if (text[i] == '\r' && (i + 1 == text.size() || text[i + 1] != '\n')) return true;
  }
  return false;
}

size_t count_of(string_view what, string_view in) {
  size_t n = 0;
  for (size_t at = in.find(what); at != string_view::npos; at = in.find(what, at + 1)) ++n;
  return n;
}

// What smugglers' inputs are made of.
string random_text(std::mt19937& random) {
  static constexpr string_view kPieces[] = {"\r",   "\n",     ".", "\r\n", "\r\n.", "a", ".\r\n", string_view("\0", 1),
                                            "word", "\r\n..", " "};
  string out;
  for (size_t n = random() % 12; n > 0; --n) out += kPieces[random() % std::size(kPieces)];
  return out;
}

// --- line ends ---------------------------------------------------------------------------

TEST(LineEnds, BareOnesBecomeWhole) {  // LMTP-40
  struct {
    string_view in, out;
  } const rows[] = {
      {"", ""},       {"a", "a"},        {"a\r\nb", "a\r\nb"},   {"a\nb", "a\r\nb"},           {"a\rb", "a b"},
      {"\n", "\r\n"}, {"\r", " "},       {"\r\r", "  "},         {"\n\n", "\r\n\r\n"},         {"\r\r\n", " \r\n"},
      {"a\r", "a "},  {"\n\r", "\r\n "}, {"\r\n\n", "\r\n\r\n"}, {"a\r\n.\nb", "a\r\n.\r\nb"}, {"\r\n\r", "\r\n "},
  };
  for (const auto& row : rows) EXPECT_EQ(with_line_ends(row.in), row.out) << printable(row.in);
}

TEST(LineEnds, BytesOfAnyOtherKindStay) {
  string all;
  for (int c = 1; c < 256; ++c)
    if (c != '\r' && c != '\n') all += static_cast<char>(c);
  EXPECT_EQ(with_line_ends(all), all);
}

TEST(LineEnds, NulBecomesABlank) { EXPECT_EQ(with_line_ends(string_view("a\0b\0\0\r\n", 7)), "a b  \r\n"); }

// --- DATA ----------------------------------------------------------------------------------

TEST(DataReader, EndsWithADotOfItsOwn) {  // LMTP-15
  EXPECT_EQ(read_mail("a\r\n.\r\nQUIT\r\n"), (ReadMail{"a\r\n", "QUIT\r\n", true}));
  EXPECT_EQ(read_mail(".\r\nQUIT\r\n"), (ReadMail{"", "QUIT\r\n", true}));
  EXPECT_EQ(read_mail("\r\n.\r\n"), (ReadMail{"\r\n", "", true}));
  EXPECT_EQ(read_mail("a\r\nb\r\n"), (ReadMail{"a\r\nb\r\n", "", false}));
}

TEST(DataReader, TakesDotsAwayThatWereAdded) {
  EXPECT_EQ(read_mail("..\r\n.\r\n").text, ".\r\n");
  EXPECT_EQ(read_mail("...a\r\n.b\r\n.\r\n").text, "..a\r\nb\r\n");
  EXPECT_EQ(read_mail("a.b\r\n..\r\n.\r\n").text, "a.b\r\n.\r\n");
}

// SEC-20: each of these was an end of data for somebody. To us it is content, and the message goes on behind it.
TEST(DataReader, NothingElseIsAnEnd) {
  struct {
    string_view end, text;
  } const rows[] = {
      {"\n.\n", "\r\n.\r\n"},
      {"\n.\r\n", "\r\n.\r\n"},
      {"\r\n.\n", "\r\n\r\n"},
      {"\r.\r", " . "},
      {"\r.\r\n", " .\r\n"},
      {"\r\n.\r", "\r\n "},
      {"\r\n.\r\r\n", "\r\n \r\n"},
      {"\r\r\n.\r\r\n", " \r\n \r\n"},
      {"\n\r.\r\n", "\r\n .\r\n"},
      {string_view("\r\n\0.\r\n", 6), "\r\n .\r\n"},
      {string_view("\r\n.\0\r\n", 6), "\r\n \r\n"},
      {string_view("\r\0\n.\r\n", 6), "  \r\n.\r\n"},
      {"\r\n..\r\n", "\r\n.\r\n"},
      {"\r\n. \r\n", "\r\n \r\n"},
      {"\r\n.\r \n", "\r\n  \r\n"},
      {"\r\n .\r\n", "\r\n .\r\n"},
      {"\r \n.\r\n", "  \r\n.\r\n"},
      {"\n.\r", "\r\n. "},
      {"\x85.\x85", "\x85.\x85"},
  };
  constexpr string_view kSmuggled = "MAIL FROM:<evil@example.org>\r\n";
  for (const auto& row : rows) {
    SCOPED_TRACE(printable(row.end));
    const ReadMail mail = read_mail("a" + string(row.end) + string(kSmuggled) + ".\r\nQUIT\r\n");
    EXPECT_EQ(mail, (ReadMail{"a" + string(row.text) + string(kSmuggled), "QUIT\r\n", true}));
    EXPECT_FALSE(has_bare_line_end(mail.text));
    const string wire = stuffed(mail.text, 1);
    EXPECT_EQ(wire.find("\r\n.\r\n"), wire.size() - 5) << "what we say next is one message, too";
  }
}

TEST(DataReader, TheSameAtTheVeryStart) {
  for (const string_view start : {".\n", ".\r", ".\r\r\n", "..\r\n", ". \r\n", "\n.\n", "\r.\r\n"}) {
    const ReadMail mail = read_mail(string(start) + "x\r\n.\r\n!");
    EXPECT_TRUE(mail.complete) << printable(start);
    EXPECT_EQ(mail.left, "!") << printable(start);
    EXPECT_TRUE(mail.text.ends_with("x\r\n")) << printable(start);
    EXPECT_FALSE(has_bare_line_end(mail.text)) << printable(start);
  }
}

// --- the way out -----------------------------------------------------------------------------

TEST(StuffDots, AreAddedToEachLineThatBeginsWithOne) {
  EXPECT_EQ(stuffed("", 1), ".\r\n");
  EXPECT_EQ(stuffed(".", 1), "..\r\n.\r\n");
  EXPECT_EQ(stuffed("a\r\n.b\r\n..\r\n", 3), "a\r\n..b\r\n...\r\n.\r\n");
  EXPECT_EQ(stuffed("no line end", 4), "no line end\r\n.\r\n");
}

TEST(StuffDots, IsUndoneByTheReader) {
  std::mt19937 random(20);
  for (int round = 0; round < 3000; ++round) {
    const string text = with_line_ends(random_text(random), [](size_t) { return false; });
    ASSERT_FALSE(has_bare_line_end(text)) << printable(text);
    const string wire = stuffed(text, 1 + random() % 5);
    ASSERT_EQ(wire.find("\r\n.\r\n"), wire == ".\r\n"             ? string::npos
                                      : wire.starts_with(".\r\n") ? 0
                                                                  : wire.size() - 5)
        << printable(wire);
    ASSERT_LE(count_of("\r\n.\r\n", wire), 1u) << printable(wire);
    const ReadMail mail = read_mail(wire + "QUIT\r\n", [&](size_t) { return random() % 3 == 0; });
    const bool whole_lines = text.empty() || text.ends_with("\n");
    ASSERT_EQ(mail, (ReadMail{whole_lines ? text : text + "\r\n", "QUIT\r\n", true})) << printable(wire);
  }
}

// A message read from one and sent to another: what the other one reads is what we read (SEC-20).
TEST(StuffDots, WhateverCameInIsOneMessageOnItsWayOut) {
  std::mt19937 random(21);
  for (int round = 0; round < 3000; ++round) {
    const string input = random_text(random) + random_text(random) + "\r\n.\r\n";
    const ReadMail mail = read_mail(input, [&](size_t) { return random() % 2 == 0; });
    ASSERT_TRUE(mail.complete);
    ASSERT_FALSE(has_bare_line_end(mail.text)) << printable(input);
    const ReadMail again = read_mail(stuffed(mail.text, 1 + random() % 7), [](size_t) { return false; });
    ASSERT_EQ(again, (ReadMail{mail.text, "", true})) << printable(input);
  }
}

}  // namespace
}  // namespace postern::smtp
