#include "proto/imap/scan.h"

#include <gtest/gtest.h>

namespace postern::imap {
namespace {

using Event = Scanner::Event;

// Reads one command with `style`; its arguments as "kind:text" words.
struct Scan {
  explicit Scan(std::string_view input, ArgumentStyle style = ArgumentStyle::Parsed, Scanner::Limits limits = {})
      : scanner(limits) {
    for (;;) {
      size_t more = 0;
      last = scanner.feed(input.substr(taken), more);
      taken += more;
      if (last == Event::Name) scanner.choose(style);
      if (last == Event::Mechanism) scanner.limit_sasl(20);
      if (last == Event::Literal) ++literals;
      if (last == Event::More || last == Event::Complete || last == Event::Fault) return;
    }
  }

  std::string arguments() const {
    std::string out;
    for (size_t i = 0; i < scanner.argument_count(); ++i)
      out += "as()"[static_cast<int>(scanner.kind(i))] + std::string(":") + std::string(scanner.argument(i)) + ";";
    return out;
  }

  Scanner scanner;
  Event last = Event::More;
  size_t taken = 0;
  int literals = 0;
};

TEST(Scanner, SplitsTagNameAndArguments) {
  const Scan scan("a1 LOGIN atom \"quo\\\"ted\" {3+}\r\nlit (x (y)) NIL\r\nb NOOP");
  EXPECT_EQ(scan.last, Event::Complete);
  EXPECT_EQ(scan.scanner.tag(), "a1");
  EXPECT_EQ(scan.scanner.name(), "LOGIN");
  EXPECT_EQ(scan.arguments(), "a:atom;s:quo\"ted;s:lit;(:;a:x;(:;a:y;):;):;a:NIL;");
  EXPECT_EQ(scan.taken, 48u) << "stops behind the line end";
  EXPECT_EQ(scan.literals, 0);
}

TEST(Scanner, TellsWhenAClientWaits) {
  const Scan scan("a LOGIN {0}\r\n{1}\n");
  EXPECT_EQ(scan.last, Event::More);
  EXPECT_EQ(scan.literals, 2);
}

TEST(Scanner, KeepsSaslLinesAsTheyAre) {
  const Scan scan("a AUTHENTICATE plain \"b c{3}\r\n", ArgumentStyle::Sasl);
  EXPECT_EQ(scan.last, Event::Complete);
  EXPECT_EQ(scan.arguments(), "a:plain;s:\"b c{3};");
}

TEST(Scanner, BoundsSaslLinesWithoutTheLineEnd) {
  EXPECT_EQ(Scan("a AUTHENTICATE p 12345678901234567890\r\n", ArgumentStyle::Sasl).last, Event::Complete);
  const Scan longer("a AUTHENTICATE p 123456789012345678901\r\n", ArgumentStyle::Sasl);
  EXPECT_EQ(longer.last, Event::Fault);
  EXPECT_EQ(longer.scanner.fault(), Scanner::Fault::SaslTooLong);
}

TEST(Scanner, BoundsElementsAndArguments) {
  Scanner::Limits limits;
  limits.element = 8;
  limits.arguments = 12;
  limits.count = 4;
  EXPECT_EQ(Scan("a X 1234567 12345\r\n", ArgumentStyle::Parsed, limits).last, Event::Complete);
  EXPECT_EQ(Scan("a X 12345678", ArgumentStyle::Parsed, limits).scanner.fault(), Scanner::Fault::Full);
  EXPECT_EQ(Scan("a X 1234567 123456\r\n", ArgumentStyle::Parsed, limits).scanner.fault(), Scanner::Fault::Full);
  const Scan many("a X 1 2 3 4 5\r\n", ArgumentStyle::Parsed, limits);
  EXPECT_EQ(many.scanner.fault(), Scanner::Fault::Syntax);
  EXPECT_EQ(many.scanner.syntax_error(), "Too many arguments");
}

TEST(Scanner, ForgetsSecretsWithAFatalFault) {
  Scanner::Limits limits;
  limits.element = 8;
  const Scan scan("a LOGIN user secretsecret", ArgumentStyle::Parsed, limits);
  EXPECT_EQ(scan.last, Event::Fault);
  EXPECT_EQ(scan.scanner.argument_count(), 0u);
}

TEST(Scanner, IsDeafAfterAFatalFault) {
  Scan scan("a LOGIN {99999}\r\n");
  EXPECT_EQ(scan.scanner.fault(), Scanner::Fault::LiteralTooLarge);
  size_t taken = 0;
  EXPECT_EQ(scan.scanner.feed("b NOOP\r\n", taken), Event::More);
  EXPECT_EQ(taken, 8u);
}

TEST(Scanner, SkipsTheRestOfAFaultyLineWithItsLiterals) {
  Scan scan("a X ) {4+}\r\nb Y\n {2+}\r\nzz\r\nc");
  EXPECT_EQ(scan.scanner.syntax_error(), "Unexpected ')'");
  size_t taken = 0;
  EXPECT_EQ(scan.scanner.feed(") {4+}\r\nb Y\n {2+}\r\nzz\r\nc NOOP\r\n", taken), Event::Name);
  EXPECT_EQ(scan.scanner.tag(), "c");
}

TEST(Scanner, ReadsALineOnDemand) {
  Scanner scanner({});
  scanner.expect_line(10);
  size_t taken = 0;
  EXPECT_EQ(scanner.feed("ab\rc\r\nd", taken), Event::Complete);
  EXPECT_EQ(scanner.argument(0), "ab\rc");
  EXPECT_EQ(taken, 6u);
}

}  // namespace
}  // namespace postern::imap
