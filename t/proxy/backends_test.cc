#include "proxy/backends.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace postern {
namespace {

using namespace std::chrono_literals;
const Instant kStart = Instant(1000s);

TEST(BackendHealth, LetsEveryoneTryAHostWithoutHistory) {
  BackendHealth h;
  EXPECT_TRUE(h.begin_connect(kStart, 30s));
  EXPECT_TRUE(h.begin_connect(kStart, 30s));
}

// ALG-20: down for longer than the patience, one attempt at a time probes it, others fail at once.
TEST(BackendHealth, LetsOneProbeAHostThatHasBeenDown) {
  BackendHealth h;
  ASSERT_TRUE(h.begin_connect(kStart, 30s));
  h.failed(kStart + 1s, kStart);
  ASSERT_TRUE(h.begin_connect(kStart + 35s, 30s));
  h.failed(kStart + 35s, kStart + 35s);
  EXPECT_TRUE(h.begin_connect(kStart + 36s, 30s));
  EXPECT_FALSE(h.begin_connect(kStart + 36s, 30s));
  h.connected(kStart + 37s);
  EXPECT_TRUE(h.begin_connect(kStart + 37s, 30s));
  EXPECT_TRUE(h.begin_connect(kStart + 37s, 30s));
}

TEST(BackendHealth, NeverFailsAtOnceWhenSwitchedOff) {
  BackendHealth h;
  ASSERT_TRUE(h.begin_connect(kStart, 0s));
  h.failed(kStart + 100s, kStart);
  EXPECT_TRUE(h.begin_connect(kStart + 200s, 0s));
  EXPECT_TRUE(h.begin_connect(kStart + 200s, 0s));
}

// ALG-21: a success since the session began outweighs its failure.
TEST(BackendHealth, IgnoresAFailureOlderThanASuccess) {
  BackendHealth h;
  h.begin_connect(kStart, 30s);
  h.begin_connect(kStart, 30s);
  h.connected(kStart + 60s);
  h.failed(kStart + 61s, kStart);
  EXPECT_TRUE(h.begin_connect(kStart + 62s, 30s));
  EXPECT_TRUE(h.begin_connect(kStart + 62s, 30s));
}

TEST(ClosingPace, ClosesALoneSessionAtOnce) {
  ClosingPace pace;
  EXPECT_EQ(pace.next(kStart, 10s, 500), kStart);
}

TEST(ClosingPace, ClosesAtOnceWithoutSpread) {
  ClosingPace pace;
  for (size_t left = 100; left-- > 0;) EXPECT_EQ(pace.next(kStart, 0s, left), kStart);
}

// ALG-9: even from the first moment on, and never later than the spread.
TEST(ClosingPace, SpreadsAMassEndEvenly) {
  constexpr size_t kSessions = 5000;
  ClosingPace pace;
  std::vector<double> times;
  for (size_t i = 0; i < kSessions; ++i)
    times.push_back(
        std::chrono::duration<double>(pace.next(kStart + i * 10us, 10s, kSessions - 1 - i) - kStart).count());
  double distance = 0;
  for (size_t i = 0; i < kSessions; ++i)
    distance = std::max(distance, std::abs(times[i] / 10 - static_cast<double>(i + 1) / kSessions));
  EXPECT_LE(distance, 0.02);
  EXPECT_LE(times.back(), 10.1);
}

TEST(Backends, ForgetsAnAddressThatNobodyUses) {
  Loop loop;
  Backends backends(loop);
  const Endpoint to{*IpAddress::parse("127.0.0.2"), 143};
  const void* first = nullptr;
  {
    BackendRef ref = backends.get(to);
    first = &ref->address();
    BackendRef again = backends.get(to);
    EXPECT_EQ(first, &again->address());
  }
  BackendRef ref = backends.get(to);
  EXPECT_EQ(ref->address(), to);
}

}  // namespace
}  // namespace postern
