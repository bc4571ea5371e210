// MASTER-27 to 29, and the gate of one-connection workers (MASTER-17, 23).
#include "master/throttle.h"

#include <gtest/gtest.h>

#include "master/worker_gate.h"

namespace postern {
namespace {

using namespace std::chrono_literals;
constexpr Instant kStart = Instant(1000s);

TEST(Throttle, DelaysDoubleUpToAMinute) {
  Throttle t;
  Instant now = kStart;
  for (const auto expected : {2s, 4s, 8s, 16s, 32s, 60s, 60s}) {
    EXPECT_TRUE(t.failed(false, false, now));
    EXPECT_EQ(t.delay(), expected);
    EXPECT_TRUE(t.active(now + expected - 1ms));
    now += expected;
    EXPECT_FALSE(t.active(now));
  }
}

TEST(Throttle, ACleanEndForgetsEverything) {  // MASTER-27
  Throttle t;
  t.failed(false, false, kStart);
  t.failed(false, false, kStart + 2s);
  t.succeeded();
  EXPECT_FALSE(t.active(kStart + 2s));
  t.failed(false, false, kStart + 3s);
  EXPECT_EQ(t.delay(), 2s);
}

TEST(Throttle, FailuresDuringAPauseDoNotMakeItLonger) {
  Throttle t;
  EXPECT_TRUE(t.failed(false, false, kStart));
  EXPECT_FALSE(t.failed(false, false, kStart + 1s));
  EXPECT_EQ(t.until(), kStart + 2s);
}

TEST(Throttle, CrashesAfterTheStartThrottleOnlyInABurst) {  // MASTER-28 b
  Throttle t;
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(t.failed(true, false, kStart + i * 10ms)) << i;
  EXPECT_TRUE(t.failed(true, false, kStart + 200ms));
  Throttle slow;
  for (int i = 0; i < 50; ++i) EXPECT_FALSE(slow.failed(true, false, kStart + i * 150ms)) << i;
}

TEST(Throttle, WhoCrashesHisOwnSessionCannotStopTheService) {
  Throttle succeeded;
  succeeded.succeeded();
  Throttle elder;
  for (int i = 0; i < 50; ++i) {
    EXPECT_FALSE(succeeded.failed(true, false, kStart));
    EXPECT_FALSE(elder.failed(true, true, kStart));
  }
}

TEST(WorkerGate, CountsAndLimits) {
  WorkerGate gate(2);
  EXPECT_EQ(gate.room(kStart), 2u);
  gate.ordered();
  gate.ordered();
  EXPECT_EQ(gate.room(kStart), 0u);
  EXPECT_TRUE(gate.full(kStart));
  EXPECT_FALSE(gate.full(kStart + 500ms));
  EXPECT_TRUE(gate.full(kStart + 1s));
  EXPECT_TRUE(gate.paused(kStart + 2s));
  EXPECT_EQ(gate.next_change(kStart + 2s), kStart + 11s);
  gate.ended(true, kStart + 2s);
  EXPECT_FALSE(gate.paused(kStart + 2s));
  EXPECT_EQ(gate.room(kStart + 2s), 1u);
  EXPECT_FALSE(gate.take_pause_over(kStart + 11s));  // there is room: nobody is sent away
}

TEST(WorkerGate, APauseThatEndsFullDiscardsOnce) {
  WorkerGate gate(1);
  gate.ordered();
  gate.full(kStart);
  EXPECT_TRUE(gate.take_pause_over(kStart + 10s));
  EXPECT_FALSE(gate.take_pause_over(kStart + 10s));
}

TEST(WorkerGate, ALowerLimitAfterAReloadHolds) {
  WorkerGate gate(3);
  for (int i = 0; i < 3; ++i) gate.ordered();
  gate.set_limit(2);
  gate.ended(true, kStart);
  EXPECT_EQ(gate.room(kStart), 0u);
  gate.ended(true, kStart);
  EXPECT_EQ(gate.room(kStart), 1u);
}

TEST(WorkerGate, EndsThatWereNeverOrderedDoNoHarm) {
  WorkerGate gate(1);
  gate.ended(true, kStart);
  EXPECT_EQ(gate.workers(), 0u);
  EXPECT_EQ(gate.room(kStart), 1u);
}

TEST(WorkerGate, ABurstOfCrashesWithoutAnySuccessPauses) {
  WorkerGate gate(100);
  bool throttled = false;
  for (int i = 0; i < 11; ++i) {
    gate.ordered();
    throttled = gate.ended(false, kStart);
  }
  EXPECT_TRUE(throttled);
  EXPECT_EQ(gate.room(kStart), 0u);
  EXPECT_EQ(gate.next_change(kStart), kStart + 2s);
  EXPECT_EQ(gate.room(kStart + 2s), 100u);
}

}  // namespace
}  // namespace postern
