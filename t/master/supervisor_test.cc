// MASTER-10 to 22: when to fork, whom to end, who listens.
#include "master/supervisor.h"

#include <gtest/gtest.h>

namespace postern {
namespace {

using namespace std::chrono_literals;
using Listen = Supervisor::Listen;
using Waiting = Supervisor::Waiting;

constexpr Instant kStart = Instant(1000s);

SupervisorLimits accepting(uint32_t min_avail, uint32_t process_limit, uint32_t client_limit) {
  SupervisorLimits limits;
  limits.min_avail = min_avail;
  limits.process_limit = process_limit;
  limits.client_limit = client_limit;
  return limits;
}

TEST(Supervisor, MasterPollsOnlyWhileNobodyTakesConnections) {  // MASTER-10
  Supervisor s(accepting(0, 10, 5));
  EXPECT_EQ(s.listen(kStart), Listen::Fork);
  EXPECT_EQ(s.connection_waiting(kStart), Waiting::ForkOne);
  s.forked(1, kStart);
  EXPECT_EQ(s.listen(kStart), Listen::Off);
  s.status(1, 0, false, kStart);
  EXPECT_EQ(s.listen(kStart), Listen::Fork);
  s.status(1, 2, false, kStart);
  EXPECT_EQ(s.listen(kStart), Listen::Off);
}

TEST(Supervisor, KeepsProcessesThatTakeConnections) {  // MASTER-18: available ones count, not idle ones
  Supervisor s(accepting(2, 10, 5));
  EXPECT_EQ(s.forks_wanted(kStart), 2u);
  s.forked(1, kStart);
  s.forked(2, kStart);
  EXPECT_EQ(s.forks_wanted(kStart), 0u);
  s.status(1, 1, false, kStart);
  EXPECT_EQ(s.forks_wanted(kStart), 0u);
  s.status(1, 0, false, kStart);
  EXPECT_EQ(s.forks_wanted(kStart), 1u);
}

TEST(Supervisor, PreforksInBatchesAndWithinTheLimit) {
  EXPECT_EQ(Supervisor(accepting(50, 100, 5)).forks_wanted(kStart), Supervisor::kPreforkBatch);
  EXPECT_EQ(Supervisor(accepting(5, 3, 5)).forks_wanted(kStart), 3u);
}

TEST(Supervisor, FullServicePausesWarnsOnceASecondAndDiscards) {  // MASTER-23
  Supervisor s(accepting(0, 1, 1));
  s.forked(1, kStart);
  s.status(1, 0, false, kStart);
  EXPECT_EQ(s.connection_waiting(kStart), Waiting::FullWarn);
  EXPECT_EQ(s.connection_waiting(kStart + 500ms), Waiting::Full);
  EXPECT_EQ(s.listen(kStart + 1s), Listen::Off);
  EXPECT_EQ(s.next_change(kStart + 1s), kStart + 500ms + 10s);
  EXPECT_FALSE(s.take_pause_over(kStart + 10s));
  EXPECT_TRUE(s.take_pause_over(kStart + 11s));
  EXPECT_FALSE(s.take_pause_over(kStart + 11s));
  EXPECT_EQ(s.listen(kStart + 11s), Listen::Fork);
  EXPECT_EQ(s.connection_waiting(kStart + 11s), Waiting::FullWarn);
}

TEST(Supervisor, APauseEndsWithTheFirstFreePlace) {
  Supervisor s(accepting(0, 1, 1));
  s.forked(1, kStart);
  s.status(1, 0, false, kStart);
  s.connection_waiting(kStart);
  EXPECT_FALSE(s.ended(1, true, kStart + 1s));
  EXPECT_EQ(s.listen(kStart + 1s), Listen::Fork);
  EXPECT_EQ(s.connection_waiting(kStart + 1s), Waiting::ForkOne);
}

TEST(Supervisor, RetiredProcessesDoNotCountTowardsTheLimit) {  // MASTER-16
  Supervisor s(accepting(0, 1, 5));
  s.forked(1, kStart);
  s.status(1, 0, true, kStart);
  EXPECT_EQ(s.connection_waiting(kStart), Waiting::ForkOne);
  s.forked(2, kStart);
  EXPECT_EQ(s.processes(), 2u);
  EXPECT_EQ(s.available_processes(), 1u);
  s.ended(1, true, kStart);  // must not take a place away from the active one
  s.status(2, 0, false, kStart);
  EXPECT_EQ(s.connection_waiting(kStart), Waiting::FullWarn);
}

TEST(Supervisor, ADrainingProcessIsNotAvailableAgain) {
  Supervisor s(accepting(1, 5, 5));
  s.forked(1, kStart);
  s.stopping(1);
  s.status(1, 5, false, kStart);
  EXPECT_EQ(s.available_processes(), 0u);
  EXPECT_EQ(s.forks_wanted(kStart), 1u);
}

TEST(Supervisor, KillsWhatNeverReportsOnce) {  // MASTER-14
  Supervisor s(accepting(0, 5, 5));
  s.forked(1, kStart);
  s.forked(2, kStart);
  s.status(2, 5, false, kStart);
  EXPECT_EQ(s.next_change(kStart), kStart + 30s);
  EXPECT_TRUE(s.take_overdue(kStart + 29s).empty());
  EXPECT_EQ(s.take_overdue(kStart + 30s), std::vector<uint32_t>{1});
  EXPECT_TRUE(s.take_overdue(kStart + 31s).empty());
}

TEST(Supervisor, EndsIdleProcessesAboveTheMinimum) {  // MASTER-22
  Supervisor s(accepting(1, 5, 3));
  for (uint32_t pid = 1; pid <= 3; ++pid) {
    s.forked(pid, kStart);
    s.status(pid, 3, false, kStart);
  }
  s.status(2, 1, false, kStart + 10s);
  EXPECT_TRUE(s.take_idle(kStart + 59s).empty());
  const auto idle = s.take_idle(kStart + 60s);
  ASSERT_EQ(idle.size(), 2u);
  EXPECT_EQ(std::count(idle.begin(), idle.end(), 2u), 0);
  EXPECT_TRUE(s.take_idle(kStart + 61s).empty());
  EXPECT_EQ(s.available_processes(), 1u);
}

TEST(Supervisor, NeverEndsIdleProcessesThatAreNeeded) {
  Supervisor s(accepting(2, 5, 3));
  s.forked(1, kStart);
  s.forked(2, kStart);
  s.status(1, 3, false, kStart);
  s.status(2, 3, false, kStart);
  EXPECT_TRUE(s.take_idle(kStart + 1h).empty());
}

TEST(Supervisor, AProcessThatDiesBeforeItIsReadyThrottles) {  // MASTER-28 a
  Supervisor s(accepting(1, 5, 5));
  s.forked(1, kStart);
  EXPECT_TRUE(s.ended(1, false, kStart));
  EXPECT_EQ(s.throttle_delay(), 2s);
  EXPECT_EQ(s.forks_wanted(kStart + 1s), 0u);
  EXPECT_EQ(s.listen(kStart + 1s), Listen::Discard);
  EXPECT_TRUE(s.lost(kStart + 1s));
  EXPECT_EQ(s.next_change(kStart + 1s), kStart + 2s);
  EXPECT_EQ(s.forks_wanted(kStart + 2s), 1u);
  EXPECT_EQ(s.listen(kStart + 2s), Listen::Fork);
}

TEST(Supervisor, WhileOthersLiveThrottlingOnlyStopsListening) {
  Supervisor s(accepting(0, 5, 1));
  s.forked(1, kStart);
  s.status(1, 0, false, kStart);
  s.forked(2, kStart);
  s.ended(2, false, kStart);
  EXPECT_EQ(s.listen(kStart + 1s), Listen::Off);
}

TEST(Supervisor, ResidentProcessesAreAvailableWhileTheyLive) {
  SupervisorLimits limits;
  limits.accepts = false;
  limits.min_avail = limits.process_limit = 1;
  Supervisor s(limits);
  s.forked(1, kStart);
  s.status(1, 0, false, kStart);
  EXPECT_EQ(s.forks_wanted(kStart), 0u);
  EXPECT_EQ(s.listen(kStart), Listen::Off);
  EXPECT_TRUE(s.take_idle(kStart + 24h).empty());
  s.ended(1, true, kStart);
  EXPECT_EQ(s.forks_wanted(kStart), 1u);
}

TEST(Supervisor, ACleanEndBeforeTheFirstReportThrottlesToo) {
  Supervisor s(accepting(1, 5, 5));
  s.forked(1, kStart);
  EXPECT_TRUE(s.ended(1, true, kStart));
  s.forked(2, kStart + 2s);
  s.stopping(2);  // but not when we asked for it
  EXPECT_FALSE(s.ended(2, true, kStart + 2s));
}

TEST(Supervisor, MoreWorkersOneByOneUpToTheLimit) {
  SupervisorLimits limits;
  limits.accepts = false;
  limits.min_avail = 1;
  limits.process_limit = 3;
  Supervisor s(limits);
  uint32_t pid = 0;
  for (int round = 0; round < 5; ++round) {
    s.want_more();
    s.want_more();  // asked again before the first has come
    for (uint32_t n = s.forks_wanted(kStart); n > 0; --n) s.forked(++pid, kStart);
  }
  EXPECT_EQ(s.processes(), 3u);
}

TEST(Supervisor, UnknownProcessesAreIgnored) {
  Supervisor s(accepting(0, 1, 1));
  s.status(99, 1, false, kStart);
  s.stopping(99);
  EXPECT_FALSE(s.ended(99, false, kStart));
  EXPECT_EQ(s.processes(), 0u);
}

}  // namespace
}  // namespace postern
