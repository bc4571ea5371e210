#include "proxy/relay.h"

#include "proxy/sockets.h"

namespace postern {
namespace {

using test::drain_into;
using test::pattern;
using test::run_until;
using test::tcp_pair;

// A relay between two sockets whose far ends the test holds.
struct RelayTest : testing::Test, Relay::Owner {
  RelayTest() {
    auto [front_near, front_far] = tcp_pair();
    auto [back_near, back_far] = tcp_pair();
    front = std::move(front_far);
    back = std::move(back_far);
    relay = std::make_unique<Relay>(loop, pool, *this, Stream(std::move(front_near)), Stream(std::move(back_near)));
  }
  void relay_ended(Relay::Side side, const std::string& error) override {
    ++ends;
    ended_side = side;
    ended_error = error;
  }
  void discarded_ended() override { ++discarded_ends; }
  // Writes more of `data` when there is room; `sent` counts.
  static void pour(const Fd& fd, const std::string& data, size_t& sent) {
    const ssize_t n = sent < data.size() ? ::write(fd.get(), data.data() + sent, data.size() - sent) : 0;
    if (n > 0) sent += static_cast<size_t>(n);
  }
  // As much of `data` as all buffers on the way hold; how much that was.
  size_t fill(const Fd& fd, const std::string& data) {
    size_t sent = 0;
    int stuck = 0;
    run_until(loop, [&] {
      const size_t before = sent;
      pour(fd, data, sent);
      stuck = sent > before ? 0 : stuck + 1;
      return sent == data.size() || stuck > 200;
    });
    return sent;
  }
  void say(const Fd& fd, std::string_view text) {
    ASSERT_EQ(::write(fd.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }

  Loop loop;
  RelayPool pool{Milliseconds(300)};
  Fd front, back;
  std::unique_ptr<Relay> relay;
  int ends = 0, discarded_ends = 0;
  Relay::Side ended_side = Relay::kFront;
  std::string ended_error;
};

TEST_F(RelayTest, CarriesBytesBothWays) {
  relay->start({}, {});
  say(front, "a NOOP\r\n");
  say(back, "* 1 EXISTS\r\n");
  std::string to_back, to_front;
  ASSERT_TRUE(run_until(loop, [&] {
    drain_into(back, to_back);
    drain_into(front, to_front);
    return to_back == "a NOOP\r\n" && to_front == "* 1 EXISTS\r\n";
  }));
  EXPECT_EQ(relay->written(Relay::kBack), 8u);
  EXPECT_EQ(relay->written(Relay::kFront), 12u);
}

TEST_F(RelayTest, DeliversLeftoversFirstAndOnce) {
  say(front, " second");
  say(back, " late");
  relay->start("first", "early");
  std::string to_back, to_front;
  ASSERT_TRUE(run_until(loop, [&] {
    drain_into(back, to_back);
    drain_into(front, to_front);
    return to_back.size() >= 12 && to_front.size() >= 10;
  }));
  EXPECT_EQ(to_back, "first second");
  EXPECT_EQ(to_front, "early late");
}

TEST_F(RelayTest, EndsWhenTheClientCloses) {
  relay->start({}, {});
  front.reset();
  ASSERT_TRUE(run_until(loop, [&] { return ends > 0; }));
  EXPECT_EQ(ended_side, Relay::kFront);
  EXPECT_EQ(ended_error, "");
}

TEST_F(RelayTest, DeliversWhatTheBackendSaidBeforeItClosed) {
  relay->start({}, {});
  say(back, "* BYE\r\n");
  back.reset();
  std::string to_front;
  ASSERT_TRUE(run_until(loop, [&] { return ends > 0; }));
  drain_into(front, to_front);
  EXPECT_EQ(to_front, "* BYE\r\n");
  EXPECT_EQ(ended_side, Relay::kBack);
}

// More than the sockets hold: the source is not read until the sink takes it, and nothing is lost,
// doubled or reordered, with the buffer and with pipes.
TEST_F(RelayTest, HoldsBackForASlowReaderAndLosesNothing) {
  relay->start({}, {});
  const std::string data = pattern(24 << 20);
  size_t sent = 0;
  std::string got;
  ASSERT_TRUE(run_until(loop, [&] {
    pour(back, data, sent);
    drain_into(front, got, got.size() + 300000);
    return got.size() == data.size();
  }));
  EXPECT_TRUE(got == data);
  EXPECT_EQ(relay->written(Relay::kFront), data.size());
  EXPECT_EQ(relay->held(Relay::kFront), 0u);
}

TEST_F(RelayTest, StopsReadingWhenNobodyTakesTheBytes) {
  relay->start({}, {});
  const size_t sent = fill(back, pattern(128 << 20));
  EXPECT_LT(sent, 64u << 20);  // kernel buffers, one pipe; never more
  EXPECT_GT(relay->held(Relay::kFront), 0u);
  std::string got;
  ASSERT_TRUE(run_until(loop, [&] {
    drain_into(front, got);
    return got.size() == sent;
  }));
}

TEST_F(RelayTest, DrainsTheHeldBytesAfterTheSourceHasClosed) {
  relay->start({}, {});
  const std::string data = pattern(8 << 20);
  const size_t sent = fill(back, data);
  back.reset();
  std::string got;
  ASSERT_TRUE(run_until(loop, [&] {
    drain_into(front, got);
    return ends > 0;
  }));
  drain_into(front, got);
  EXPECT_EQ(got.size(), sent);
  EXPECT_TRUE(got == data.substr(0, sent));
}

// ALG-5: while a client waits for his turn, what he says is dropped; that he leaves is noticed.
TEST_F(RelayTest, DropsWhatAClientSaysOnceTheBackendHasGone) {
  relay->start({}, {});
  back.reset();
  ASSERT_TRUE(run_until(loop, [&] { return ends == 1; }));
  relay->discard(Relay::kFront);
  const std::string data = pattern(8 << 20);
  size_t sent = 0;
  ASSERT_TRUE(run_until(loop, [&] { return pour(front, data, sent), sent == data.size(); }));
  EXPECT_EQ(discarded_ends, 0);
  front.reset();
  ASSERT_TRUE(run_until(loop, [&] { return discarded_ends == 1; }));
  EXPECT_EQ(ends, 1);
}

// A client that has stopped reading does not keep the session of a backend that is gone.
TEST_F(RelayTest, GivesUpOnASideThatTakesNothingMore) {
  relay->start({}, {});
  fill(back, pattern(64 << 20));
  const linger at_once{1, 0};  // with all buffers full an orderly end would wait behind the bytes
  ASSERT_EQ(::setsockopt(back.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
  back.reset();
  ASSERT_TRUE(run_until(loop, [&] { return ends > 0; }));
  EXPECT_EQ(ended_side, Relay::kBack);
}

TEST_F(RelayTest, WaitsForASideThatTakesNothingWhileTheOtherIsThere) {
  relay->start({}, {});
  fill(back, pattern(64 << 20));
  const Instant long_after = loop.now() + 5 * pool.last_delivery();
  run_until(loop, [&] { return loop.now() > long_after; });
  EXPECT_EQ(ends, 0);
}

TEST_F(RelayTest, WorksWithoutPipes) {
  std::vector<std::unique_ptr<RelayPool::Pipe>> all;
  while (auto pipe = pool.borrow_pipe()) all.push_back(std::move(pipe));
  relay->start({}, {});
  const std::string data = pattern(4 << 20);
  size_t sent = 0;
  std::string got;
  ASSERT_TRUE(run_until(loop, [&] {
    pour(front, data, sent);
    drain_into(back, got);
    return got.size() == data.size();
  }));
  EXPECT_TRUE(got == data);
}

}  // namespace
}  // namespace postern
