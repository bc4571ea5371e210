#include "proto/script.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/text.h"
#include "proto/line_reader.h"

namespace postern {

namespace {

constexpr const char* kDataBehindTls = "Unexpected data behind the consent to TLS";

bool is_answer(Verdict verdict) { return verdict != Verdict::NotMine && verdict != Verdict::Aside; }

}  // namespace

ScriptRunner::ScriptRunner(std::span<const Step> steps, BackPlan plan)
    : ScriptRunner(steps, std::move(plan), Limits{}) {}

ScriptRunner::ScriptRunner(std::span<const Step> steps, BackPlan plan, Limits limits)
    : steps_(steps), plan_(std::move(plan)), limits_(limits) {
  POSTERN_CHECK(steps_.size() <= kMaxSteps && !steps_.empty(), "a script has 1 to 16 steps");
  // A step that only listens waits from the start; a client that speaks first would wait for the first feed.
  waiting_[waiting_count_++] = {next_++};
  POSTERN_CHECK(steps_.front().send == nullptr, "a script begins with the server's banner");
}

ScriptRunner::~ScriptRunner() = default;

size_t ScriptRunner::feed(std::string_view input, ScriptOutput& out) {
  if (state_ == State::AwaitingTls) {
    if (!input.empty()) fail(FailureClass::Protocol, kDataBehindTls, out);
    return 0;
  }
  size_t taken = 0;
  received_ = taken_ + input.size();
  while (state_ == State::Talking) {
    const Line line = next_line(input.substr(taken), limits_.line);
    if (line.status == Line::Status::Incomplete) return taken;
    if (line.status == Line::Status::TooLong) {
      fail(FailureClass::Protocol, "Too long line", out);
      return taken;
    }
    taken += line.taken;
    const uint64_t begin = std::exchange(taken_, taken_ + line.taken);
    read_line(line.text, begin, out);
  }
  if (state_ == State::AwaitingTls && taken < input.size()) fail(FailureClass::Protocol, kDataBehindTls, out);
  return taken;
}

void ScriptRunner::on_tls(ScriptOutput& out) {
  POSTERN_CHECK(state_ == State::AwaitingTls, "TLS was not asked for");
  state_ = State::Talking;
  plan_.learned.tls_active = true;
  send_ready_steps(out);
}

void ScriptRunner::read_line(std::string_view line, uint64_t begin, ScriptOutput& out) {
  if (++lines_ > limits_.lines) return fail(FailureClass::Protocol, "Too many lines", out);
  if (has_nul(line)) return fail(FailureClass::Protocol, "NUL in line: " + printable(line), out);
  StepResult result;
  for (size_t i = 0; i < waiting_count_; ++i) {
    const Verdict verdict = ask(waiting_[i], line, begin, result);
    if (verdict == Verdict::NotMine) continue;
    return settle(i, verdict, result, out);
  }
  out.log_errors.push_back("Unexpected input, ignoring: " + printable(line));
}

Verdict ScriptRunner::ask(Waiting& waiting, std::string_view line, uint64_t begin, StepResult& result) {
  const Verdict verdict = steps_[waiting.step].read(line, plan_, result);
  if (is_answer(verdict) && begin < waiting.since) {
    result = {};
    result.failure = {FailureClass::Protocol, "Answer before the question: " + printable(line), {}};
    return Verdict::Failed;
  }
  if (verdict == Verdict::More && !result.send.empty()) {
    waiting.continued = true;
    waiting.since = received_;
    last_read_ = word(waiting);
  }
  return verdict;
}

void ScriptRunner::settle(size_t position, Verdict verdict, StepResult& result, ScriptOutput& out) {
  if (verdict == Verdict::Failed) end(std::move(result.failure), out);
  if (out.send.empty()) out.send = std::move(result.send);
  else out.send += result.send;
  out.to_client += result.to_client;
  if (!result.log_error.empty()) out.log_errors.push_back(std::move(result.log_error));
  if (verdict == Verdict::More || verdict == Verdict::Aside) return;

  last_read_ = word(waiting_[position]);
  std::copy(waiting_.begin() + position + 1, waiting_.begin() + waiting_count_, waiting_.begin() + position);
  --waiting_count_;
  if (verdict == Verdict::Next) {
    if (waiting_count_ == 0) send_ready_steps(out);
  } else if (verdict == Verdict::UpgradeTls) {
    waiting_count_ = 0;
    state_ = State::AwaitingTls;
    out.event = ScriptOutput::Event::UpgradeTls;
  } else if (verdict == Verdict::Accepted) {
    state_ = State::Finished;
    out.accepted = std::move(result.accepted);
    out.event = ScriptOutput::Event::Accepted;
  }
}

void ScriptRunner::send_ready_steps(ScriptOutput& out) {
  while (next_ < steps_.size()) {
    const uint8_t index = next_++;
    const Step& step = steps_[index];
    if (!step.wanted(plan_)) continue;
    if (step.send != nullptr) step.send(plan_, out.send);
    waiting_[waiting_count_++] = {index, false, step.send != nullptr ? received_ : 0};
    if (!flight_goes_on(step)) return;
  }
  if (waiting_count_ == 0) fail(FailureClass::Internal, "The handshake ended without a login", out);
}

bool ScriptRunner::flight_goes_on(const Step& step) const {
  return step.flight == Flight::Always || (step.flight == Flight::Piped && plan_.pipelining);
}

void ScriptRunner::fail(FailureClass what, std::string log_text, ScriptOutput& out) {
  end(BackendFailure{what, std::move(log_text), {}}, out);
}

// What was to be sent, maybe a password, is not; a step that fails may still say goodbye.
void ScriptRunner::end(BackendFailure failure, ScriptOutput& out) {
  state_ = State::Finished;
  secure_zero(out.send.data(), out.send.size());
  out.send.clear();
  out.failure = std::move(failure);
  out.event = ScriptOutput::Event::Failed;
}

std::string_view ScriptRunner::word(const Waiting& waiting) const {
  const Step& step = steps_[waiting.step];
  return waiting.continued && !step.continued.empty() ? step.continued : step.name;
}

std::string ScriptRunner::state_words(StateForm form) const {
  if (form == StateForm::Waiting) return std::string(waiting_count_ > 0 ? word(waiting_[0]) : last_read_);
  std::string words;
  for (size_t i = 0; i < waiting_count_; ++i) {
    if (steps_[waiting_[i].step].send == nullptr) continue;
    if (!words.empty()) words += '+';
    words += word(waiting_[i]);
  }
  words += '/';
  words += last_read_.empty() ? "none" : last_read_;
  return words;
}

}  // namespace postern
