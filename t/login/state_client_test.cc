#include "login/state_client.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

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
  while (::send(pair->first.get(), filler.data(), filler.size(), MSG_DONTWAIT) > 0) {}
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

// --- places ---------------------------------------------------------------------------

struct PlacesTest : StateClientTest, StateClient::Waiter, StateClient::Holder {
  PlacesTest() { client.serve(*this); }
  void place_answered(PlaceAnswer answer) override { answers.push_back(answer); }
  std::vector<std::pair<uint64_t, uint32_t>> idle_of(const std::vector<uint64_t>& ids) override {
    return {{ids.at(0), 17}};
  }
  void close_idle(const std::vector<uint64_t>& ids, PlaceAnswer) override { closed = ids; }
  // State's end, which notes what it hears.
  std::unique_ptr<Channel> state_at(Fd socket) {
    Channel::Events events;
    events.packet = [this](std::string_view packet, std::span<Fd>) {
      if (const auto m = decode_message<ReserveSession>(packet))
        told.push_back((m->held ? "held " : "reserve ") + std::to_string(m->id));
      if (const auto m = decode_message<SessionStarted>(packet)) told.push_back("started " + std::to_string(m->id));
      if (const auto m = decode_message<SessionEnded>(packet)) told.push_back("end " + std::to_string(m->id));
      if (const auto m = decode_message<IdleSessions>(packet))
        told.push_back("idle " + std::to_string(m->idle.at(0).second));
    };
    return std::make_unique<Channel>(loop, std::move(socket), Role::State, Role::Login, std::move(events));
  }
  std::unique_ptr<Channel> new_state() {
    auto pair = make_channel_pair();
    client.connect(std::move(pair->first));
    return state_at(std::move(pair->second));
  }
  bool hears(std::vector<std::string> what) {
    return run_until([&] { return told.size() >= what.size(); }) && told == what;
  }
  std::vector<PlaceAnswer> answers;
  std::vector<uint64_t> closed;
};
using Answers = std::vector<PlaceAnswer>;
using Told = std::vector<std::string>;

TEST_F(PlacesTest, AreAskedForAndTakenByTheSession) {
  const auto end = new_state();
  SessionPlace place = client.reserve(*this, {});
  EXPECT_TRUE(place.was_asked_for());
  ASSERT_TRUE(hears({"reserve 1"}));
  end->send(SessionReserved{1, PlaceAnswer::Granted});
  ASSERT_TRUE(run_until([&] { return !answers.empty(); }));
  EXPECT_EQ(answers, Answers{PlaceAnswer::Granted});
  SessionStarted started = session("joe");
  started.id = place.take();
  EXPECT_EQ(StateClient::read(client.started(started)).id, 1u);
  place = {};
  EXPECT_TRUE(hears({"reserve 1", "started 1"})) << "the place is the session's";
}

TEST_F(PlacesTest, AreGivenBackUnlessRefused) {
  const auto end = new_state();
  SessionPlace place = client.reserve(*this, {}), other = client.reserve(*this, {});
  end->send(SessionReserved{1, PlaceAnswer::UserIpLimit});
  ASSERT_TRUE(run_until([&] { return !answers.empty(); }));
  EXPECT_EQ(answers, Answers{PlaceAnswer::UserIpLimit});
  place = {};
  other = {};
  EXPECT_TRUE(hears({"reserve 1", "reserve 2", "end 2"}));
  end->send(SessionReserved{2, PlaceAnswer::Granted});
  end->send(AskIdle{5, {3}});
  EXPECT_TRUE(hears({"reserve 1", "reserve 2", "end 2", "idle 17"}));
  EXPECT_EQ(answers.size(), 1u) << "who has left hears nothing";
}

// ARCHITECTURE 8: logins go on without state, and what they hold counts for the next one.
TEST_F(PlacesTest, AreGrantedWithoutState) {
  EXPECT_FALSE(client.reserve(*this, {}).was_asked_for());
  const SessionPlace kept = client.reserve(*this, {});
  auto first = new_state();
  ASSERT_TRUE(hears({"held 2"}));
  const SessionPlace waiting = client.reserve(*this, {});
  ASSERT_TRUE(hears({"held 2", "reserve 3"}));
  first.reset();
  ASSERT_TRUE(run_until([&] { return !answers.empty(); }));
  EXPECT_EQ(answers, Answers{PlaceAnswer::Granted});
  told.clear();
  const auto second = new_state();
  ASSERT_TRUE(run_until([&] { return told.size() == 2; }));
  std::sort(told.begin(), told.end());
  EXPECT_EQ(told, (Told{"held 2", "held 3"}));
}

TEST_F(PlacesTest, AnotherStateIsAskedAnew) {
  const auto first = new_state();
  const SessionPlace waiting = client.reserve(*this, {});
  ASSERT_TRUE(hears({"reserve 1"}));
  const auto second = new_state();
  EXPECT_TRUE(hears({"reserve 1", "reserve 1"}));
  EXPECT_TRUE(answers.empty());
}

TEST_F(PlacesTest, IdleSessionsAreClosedOnDemand) {
  const auto end = new_state();
  end->send(CloseIdle{{4, 5}, PlaceAnswer::UserLimit});
  ASSERT_TRUE(run_until([&] { return !closed.empty(); }));
  EXPECT_EQ(closed, (std::vector<uint64_t>{4, 5}));
}

// A one-shot worker gets a channel of its own once it needs answers; a new state is told by a new one.
TEST_F(PlacesTest, AOneShotWorkerSendsAChannel) {
  auto shared = make_channel_pair();
  client.share(shared->first.get());
  const auto opened = [&] {
    char packet[100], control[CMSG_SPACE(sizeof(int))];
    iovec iov{packet, sizeof packet};
    msghdr message{nullptr, 0, &iov, 1, control, sizeof control, 0};
    const ssize_t n = ::recvmsg(shared->second.get(), &message, MSG_DONTWAIT);
    EXPECT_TRUE(n > 0 && decode_message<WorkerConnected>({packet, static_cast<size_t>(n)}));
    int fd = -1;
    if (n > 0 && CMSG_FIRSTHDR(&message) != nullptr) memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
    return Fd(fd);
  };
  SessionPlace place = client.reserve(*this, {});
  EXPECT_TRUE(place.was_asked_for());
  auto first = state_at(opened());
  ASSERT_TRUE(hears({"reserve 1"}));
  first->send(SessionReserved{1, PlaceAnswer::Granted});
  ASSERT_TRUE(run_until([&] { return !answers.empty(); }));
  SessionStarted started = session("joe");
  started.id = place.take();
  const std::string record = client.started(started);
  ASSERT_TRUE(hears({"reserve 1", "started 1"}));
  client.forget_channel();
  client.again(record);
  const auto second = state_at(opened());
  EXPECT_TRUE(hears({"reserve 1", "started 1", "started 1"}));
}

}  // namespace
}  // namespace postern
