// The runner by itself, with steps made up here.
#include "proto/script.h"

#include <gtest/gtest.h>

namespace postern {
namespace {

bool always(const BackPlan&) { return true; }
bool when_trusted(const BackPlan& plan) { return plan.trusted; }

template <char C>
void send_letter(BackPlan&, std::string& out) {
  (out += C) += "\n";
}

Verdict read_hello(std::string_view line, BackPlan&, StepResult& result) {
  if (line == "hello") return Verdict::Next;
  if (line == "wait") result.send = "bye\n";
  result.failure = {FailureClass::Protocol, "no hello", {}};
  return Verdict::Failed;
}

// Takes "<letter> ok"; "<letter> more" gets a continuation.
template <char C>
Verdict read_letter(std::string_view line, BackPlan&, StepResult& result) {
  if (line.empty() || line[0] != C) return Verdict::NotMine;
  if (line.substr(1) == " more") {
    result.send = "continued\n";
    return Verdict::More;
  }
  return Verdict::Next;
}

Verdict read_last(std::string_view line, BackPlan& plan, StepResult& result) {
  if (line != "z ok") return read_letter<'z'>(line, plan, result);
  result.accepted.line = line;
  return Verdict::Accepted;
}

Verdict read_tls(std::string_view, BackPlan&, StepResult&) { return Verdict::UpgradeTls; }

const Step kSteps[] = {
    {"hello", always, nullptr, read_hello},
    {"a", always, send_letter<'a'>, read_letter<'a'>, Flight::Piped, "a-continued"},
    {"b", when_trusted, send_letter<'b'>, read_letter<'b'>, Flight::Always},
    {"z", always, send_letter<'z'>, read_last},
};
const Step kTlsSteps[] = {
    {"hello", always, nullptr, read_hello},
    {"tls", always, send_letter<'t'>, read_tls},
    {"z", always, send_letter<'z'>, read_last},
};

struct Runner {
  explicit Runner(std::span<const Step> steps, BackPlan plan = {}, ScriptRunner::Limits limits = {})
      : script(steps, std::move(plan), limits) {}

  std::string feed(std::string_view input) {
    out = {};
    taken = script.feed(input, out);
    return out.send;
  }
  std::string both_words() const { return script.state_words(StateForm::SentAndReceived); }

  ScriptRunner script;
  ScriptOutput out;
  size_t taken = 0;
};

BackPlan without_pipelining() {
  BackPlan plan;
  plan.pipelining = false;
  return plan;
}

TEST(ScriptRunner, SendsAllInOneFlight) {
  Runner runner(kSteps);
  EXPECT_EQ(runner.feed("hello\r\n"), "a\nb\nz\n");
  EXPECT_EQ(runner.feed("a ok\nb ok\nz ok\nmore"), "");
  EXPECT_EQ(runner.out.event, ScriptOutput::Event::Accepted);
  EXPECT_EQ(runner.out.accepted.line, "z ok");
  EXPECT_EQ(runner.taken, 15u) << "what stands behind belongs to the client";
}

TEST(ScriptRunner, WaitsWithoutPipelining) {
  Runner runner(kSteps, without_pipelining());
  EXPECT_EQ(runner.feed("hello\n"), "a\n");
  EXPECT_EQ(runner.feed("a ok\n"), "b\nz\n") << "Flight::Always does not ask";
}

TEST(ScriptRunner, LeavesOutStepsThatAreNotWanted) {
  BackPlan plan = without_pipelining();
  plan.trusted = false;
  Runner runner(kSteps, std::move(plan));
  EXPECT_EQ(runner.feed("hello\n"), "a\n");
  EXPECT_EQ(runner.feed("a ok\n"), "z\n");
}

TEST(ScriptRunner, GivesALineToTheStepItAnswers) {
  Runner runner(kSteps);
  runner.feed("hello\n");
  EXPECT_EQ(runner.feed("b ok\n"), "");
  EXPECT_EQ(runner.both_words(), "a+z/b");
  runner.feed("who\n");
  ASSERT_EQ(runner.out.log_errors.size(), 1u);
  EXPECT_EQ(runner.out.log_errors[0], "Unexpected input, ignoring: who");
  runner.feed("z ok\n");
  EXPECT_EQ(runner.out.event, ScriptOutput::Event::Accepted);
}

TEST(ScriptRunner, TellsItsStateInBothForms) {
  Runner runner(kSteps, without_pipelining());
  EXPECT_EQ(runner.script.state_words(), "hello");
  EXPECT_EQ(runner.both_words(), "/none");
  runner.feed("hello\n");
  EXPECT_EQ(runner.script.state_words(), "a");
  EXPECT_EQ(runner.both_words(), "a/hello");
  EXPECT_EQ(runner.feed("a more\n"), "continued\n");
  EXPECT_EQ(runner.both_words(), "a-continued/a-continued");
  runner.feed("a ok\n");
  EXPECT_EQ(runner.both_words(), "b+z/a-continued");
}

TEST(ScriptRunner, BeginsAgainBehindTls) {
  Runner runner(kTlsSteps);
  EXPECT_EQ(runner.feed("hello\n"), "t\n");
  runner.feed("yes\n");
  EXPECT_EQ(runner.out.event, ScriptOutput::Event::UpgradeTls);
  EXPECT_FALSE(runner.script.plan().learned.tls_active);
  ScriptOutput out;
  runner.script.on_tls(out);
  EXPECT_TRUE(runner.script.plan().learned.tls_active);
  EXPECT_EQ(out.send, "z\n");
}

TEST(ScriptRunner, TakesNothingBetweenConsentAndTls) {
  Runner at_once(kTlsSteps);
  at_once.feed("hello\n");
  at_once.feed("yes\nz ok\n");
  EXPECT_EQ(at_once.out.event, ScriptOutput::Event::Failed);
  EXPECT_EQ(at_once.out.failure.what, FailureClass::Protocol);
  Runner later(kTlsSteps);
  later.feed("hello\n");
  later.feed("yes\n");
  later.feed("z");
  EXPECT_EQ(later.out.event, ScriptOutput::Event::Failed);
  EXPECT_EQ(later.taken, 0u);
}

TEST(ScriptRunner, TakesNoAnswerFromBeforeTheQuestion) {
  for (const std::string_view early : {"hello\na ok\n", "hello\na"}) {
    Runner runner(kSteps);
    runner.feed(early);
    if (runner.out.event == ScriptOutput::Event::None) runner.feed("a ok\n");
    EXPECT_EQ(runner.out.event, ScriptOutput::Event::Failed);
    EXPECT_EQ(runner.out.failure.what, FailureClass::Protocol);
  }
  Runner whole(kSteps);
  EXPECT_EQ(whole.feed("hello\na ok\n"), "") << "what would have been sent may be a password";
  Runner continued(kSteps);
  continued.feed("hello\n");
  continued.feed("z more\nz ok\n");
  EXPECT_EQ(continued.out.failure.log_text, "Answer before the question: z ok");
}

TEST(ScriptRunner, BoundsLinesAndTheirNumber) {
  Runner runner(kSteps, {}, {10, 3});
  runner.feed("hello\n");
  runner.feed("who\nwho\nwho\n");
  EXPECT_EQ(runner.out.failure.log_text, "Too many lines");
  Runner length(kSteps, {}, {10, 3});
  length.feed("123456789012");
  EXPECT_EQ(length.out.event, ScriptOutput::Event::Failed);
  EXPECT_EQ(length.out.failure.what, FailureClass::Protocol);
}

TEST(ScriptRunner, SaysGoodbyeWhereAStepWantsTo) {
  Runner runner(kSteps);
  EXPECT_EQ(runner.feed("wait\n"), "bye\n");
  EXPECT_EQ(runner.out.event, ScriptOutput::Event::Failed);
}

TEST(ScriptRunner, ReadsNothingAfterTheEnd) {
  Runner runner(kSteps);
  runner.feed("bye\nhello\n");
  EXPECT_EQ(runner.out.event, ScriptOutput::Event::Failed);
  EXPECT_EQ(runner.taken, 4u);
  runner.feed("hello\n");
  EXPECT_EQ(runner.out.event, ScriptOutput::Event::None);
  EXPECT_EQ(runner.taken, 0u);
}

}  // namespace
}  // namespace postern
