// Each class of a backend's failure through each protocol: what the client hears (PXI-40 ff., PXP-10 ff.).
#include "proto/answer.h"

#include <gtest/gtest.h>

#include <ostream>
#include <variant>

#include "proto/imap/protocol.h"
#include "proto/pop3/protocol.h"

namespace postern {
namespace {

// A front that has just asked for a login.
std::string heard(const Protocol& protocol, std::string_view login, const Answer& answer) {
  FrontSettings settings;
  settings.mechanisms = {{"PLAIN", true, false}};
  ConnectionFacts facts;
  facts.secured = true;
  const auto front = protocol.make_front(settings, facts);
  FrontOutput asked, told;
  size_t taken = 0;
  while (!std::holds_alternative<AuthBegin>(asked.request) && taken < login.size())
    taken += front->feed(login.substr(taken), asked);
  EXPECT_TRUE(std::holds_alternative<AuthBegin>(asked.request));
  front->answer(answer, told);
  return told.send;
}

std::string imap(const Answer& answer) { return heard(imap::kImap, "a LOGIN u p\r\n", answer); }
std::string pop3(const Answer& answer) { return heard(kPop3, "USER u\r\nPASS p\r\n", answer); }

struct Case {
  FailureClass what;
  bool retryable;
  const char *imap_masked, *pop3_masked, *imap_open, *pop3_open;
};
void PrintTo(const Case& c, std::ostream* out) { *out << "class " << static_cast<int>(c.what); }

constexpr char kAuth[] = "a NO [AUTHENTICATIONFAILED] Authentication failed.\r\n";
constexpr char kUnavailable[] = "a NO [UNAVAILABLE] Account is temporarily unavailable.\r\n";
constexpr char kBug[] = "a NO [SERVERBUG] Account is temporarily unavailable.\r\n";
constexpr char kPopAuth[] = "-ERR [AUTH] Authentication failed.\r\n";
constexpr char kPopTemp[] = "-ERR [SYS/TEMP] Account is temporarily unavailable.\r\n";
constexpr char kPopConfig[] = "-ERR Account is temporarily unavailable.\r\n";

const Case kCases[] = {
    {FailureClass::Auth, false, kAuth, kPopAuth, "a NO [AUTHENTICATIONFAILED] no such user\r\n",
     "-ERR no such user\r\n"},
    {FailureClass::AuthTempFail, true, "a NO [AUTHENTICATIONFAILED] no such user\r\n", "-ERR no such user\r\n",
     "a NO [AUTHENTICATIONFAILED] no such user\r\n", "-ERR no such user\r\n"},
    {FailureClass::Connect, true, kUnavailable, kPopTemp, kUnavailable, kPopTemp},
    {FailureClass::Protocol, true, kUnavailable, kPopTemp, kUnavailable, kPopTemp},
    {FailureClass::Remote, true, kUnavailable, kPopTemp, kUnavailable, kPopTemp},
    {FailureClass::RemoteConfig, false, kBug, kPopConfig, kBug, kPopConfig},
    {FailureClass::RemoteRefusal, false, kUnavailable, kPopTemp, kUnavailable, kPopTemp},
    {FailureClass::Internal, false, kUnavailable, kPopTemp, kUnavailable, kPopTemp},
    {FailureClass::InternalConfig, false, kUnavailable, kPopTemp, kUnavailable, kPopTemp},
};
static_assert(std::size(kCases) == static_cast<size_t>(FailureClass::kCount));

class EachClass : public testing::TestWithParam<Case> {
 protected:
  Answer answer(bool mask) const { return answer_for({GetParam().what, "log text", "no such user"}, mask); }
};

TEST_P(EachClass, IsRetriedWhenThatMayHelp) { EXPECT_EQ(is_retryable(GetParam().what), GetParam().retryable); }

TEST_P(EachClass, SaysTheRightThingInEachProtocol) {
  EXPECT_EQ(imap(answer(true)), GetParam().imap_masked);
  EXPECT_EQ(pop3(answer(true)), GetParam().pop3_masked);
  EXPECT_EQ(imap(answer(false)), GetParam().imap_open);
  EXPECT_EQ(pop3(answer(false)), GetParam().pop3_open);
}

TEST(AnswerFor, ATemporaryFailureWithoutWordsIsNoWrongPassword) {
  for (const bool mask : {false, true})
    EXPECT_EQ(answer_for({FailureClass::AuthTempFail, "log text", ""}, mask).kind, AnswerKind::BackendUnavailable);
}

TEST_P(EachClass, NeverShowsWhatIsForTheLog) {
  EXPECT_EQ(imap(answer(true)).find("log text"), std::string::npos);
  EXPECT_EQ(pop3(answer(false)).find("log text"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(All, EachClass, testing::ValuesIn(kCases));

TEST(AnswerFor, CodesThatSayNothingOfThePasswordPassTheMask) {
  BackendFailure failure{FailureClass::Auth, "x", "[LIMIT] full", true, true};
  EXPECT_EQ(imap(answer_for(failure, true)), "a NO [LIMIT] full\r\n");
  failure.passes_always = false;
  EXPECT_EQ(imap(answer_for(failure, true)), kAuth);
  EXPECT_EQ(imap(answer_for(failure, false)), "a NO [LIMIT] full\r\n");
}

TEST(AnswerFor, TemporaryRefusalsKeepTheirText) {
  const BackendFailure failure{FailureClass::AuthTempFail, "x", "[UNAVAILABLE] later", true, true};
  EXPECT_EQ(imap(answer_for(failure, true)), "a NO [UNAVAILABLE] later\r\n");
}

TEST(AnswerFor, NoTextIsOurText) { EXPECT_EQ(imap(answer_for({FailureClass::Auth, "BAD syntax", ""}, false)), kAuth); }

}  // namespace
}  // namespace postern
