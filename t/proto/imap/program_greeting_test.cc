#include <gtest/gtest.h>

#include "proto/imap/protocol.h"
#include "proto/pop3/protocol.h"

namespace postern {
namespace {

using State = ProgramGreeting::State;

ProgramGreeting read(std::string_view text) { return imap::kImap.read_program_greeting(text); }

TEST(ProgramGreeting, Preauth) {
  const std::string line = "* PREAUTH [CAPABILITY IMAP4rev1 IDLE] Logged in as joe\r\n";
  for (size_t cut = 0; cut < line.size(); ++cut) EXPECT_EQ(read(line.substr(0, cut)).state, State::Waiting) << cut;
  const auto greeting = read(line + "* 1 EXISTS\r\n");
  EXPECT_EQ(greeting.state, State::Ready);
  EXPECT_EQ(greeting.taken, line.size()) << "what follows is the client's";
  EXPECT_EQ(greeting.capabilities, "IMAP4rev1 IDLE");
}

TEST(ProgramGreeting, OtherForms) {
  EXPECT_EQ(read("* preauth hello\n").state, State::Ready);
  EXPECT_EQ(read("* preauth hello\n").capabilities, "");
  for (std::string_view wrong : {"* OK [CAPABILITY IMAP4rev1] hi\r\n", "* BYE no\r\n", "hello\r\n", "\r\n"})
    EXPECT_EQ(read(wrong).state, State::Wrong) << wrong;
  EXPECT_EQ(read(std::string_view("* PREAUTH \0\r\n", 13)).state, State::Wrong);
  EXPECT_EQ(read("* PREAUTH " + std::string(kMaxProgramGreeting, 'x')).state, State::Wrong) << "a limit";
}

TEST(ProgramGreeting, Pop3ProgramsAreSilent) {
  EXPECT_EQ(kPop3.read_program_greeting("").state, State::Ready);
  EXPECT_EQ(kPop3.read_program_greeting("").taken, 0u);
}

}  // namespace
}  // namespace postern
