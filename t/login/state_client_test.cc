#include "login/state_client.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

namespace postern {
namespace {

SessionStarted session(const std::string& user) {
  SessionStarted s;
  s.user = user;
  return s;
}

struct StateClientTest : testing::Test {
  bool run_until(const std::function<bool()>& done) {
    const Instant end = loop.now() + Milliseconds(5000);
    while (!done() && loop.now() < end) {
      Timer turn;
      turn.start(
          loop, Milliseconds(1), [](void* l) { static_cast<Loop*>(l)->stop(); }, &loop);
      loop.run();
    }
    return done();
  }
  // State's end of a new channel.
  std::unique_ptr<Channel> state() {
    auto pair = make_channel_pair();
    client.connect(std::move(pair->first));
    Channel::Events events;
    events.packet = [this](std::string_view packet, std::span<Fd>) {
      if (const auto m = decode_message<SessionStarted>(packet)) told.push_back(m->user + " " + std::to_string(m->id));
      if (const auto m = decode_message<SessionEnded>(packet)) told.push_back("end " + std::to_string(m->id));
    };
    return std::make_unique<Channel>(loop, std::move(pair->second), Role::State, Role::Login, std::move(events));
  }

  Loop loop;
  unsigned connected = 0;
  std::vector<uint64_t> kicked;
  std::vector<std::string> told;
  StateClient client{loop, [this] { ++connected; }, [this](const std::vector<uint64_t>& ids) { kicked = ids; }};
};

TEST_F(StateClientTest, TellsOfSessionsAndHearsOfKicks) {
  const auto end = state();
  EXPECT_EQ(connected, 1u);
  const std::string joe = client.started(session("joe")), jim = client.started(session("jim"));
  EXPECT_EQ(StateClient::read(jim).id, 2u);
  client.ended(joe, false);
  ASSERT_TRUE(run_until([&] { return told.size() == 3; }));
  EXPECT_EQ(told, (std::vector<std::string>{"joe 1", "jim 2", "end 1"}));
  end->send(KickSessions{{2}});
  ASSERT_TRUE(run_until([&] { return !kicked.empty(); }));
  EXPECT_EQ(kicked, std::vector<uint64_t>{2});
}

TEST_F(StateClientTest, TellsANewStateAgain) {
  const std::string joe = client.started(session("joe"));  // nobody is there
  auto first = state();
  first.reset();
  const auto second = state();
  EXPECT_EQ(connected, 2u);
  client.again(joe);
  ASSERT_TRUE(run_until([&] { return !told.empty(); }));
  EXPECT_EQ(told, std::vector<std::string>{"joe 1"});
}

// A one-shot worker writes to a socket that others write to, and that may be full.
TEST_F(StateClientTest, WaitsForRoomInASharedSocket) {
  auto pair = make_channel_pair();
  std::string filler(1000, 'x');
  while (::send(pair->first.get(), filler.data(), filler.size(), MSG_DONTWAIT) > 0) {
  }
  client.share(pair->first.get());
  const std::string joe = client.started(session("joe"));
  client.ended(joe, true);
  client.ended(joe, false);  // the process ends with it: nothing to say
  char buffer[2000];
  const auto read_one = [&] {
    const ssize_t n = ::recv(pair->second.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    return std::string_view(buffer, n > 0 ? static_cast<size_t>(n) : 0);
  };
  std::vector<std::string> got;
  ASSERT_TRUE(run_until([&] {
    for (std::string_view packet; !(packet = read_one()).empty();)
      if (packet[0] != 'x') got.emplace_back(packet);
    return got.size() == 2;
  }));
  EXPECT_EQ(got[0], joe);
  EXPECT_EQ(decode_message<SessionEnded>(got[1])->id, 1u);
}

TEST_F(StateClientTest, WithoutStateNothingHappens) {
  client.ended(client.started(session("joe")), true);
  auto pair = make_channel_pair();
  pair->second.reset();
  client.share(pair->first.get());
  client.ended(client.started(session("jim")), true);
  EXPECT_TRUE(told.empty());
}

}  // namespace
}  // namespace postern
