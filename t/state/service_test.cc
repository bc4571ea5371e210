#include "state/service.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "support/captured_log.h"

namespace postern {
namespace {

SessionStarted session(uint64_t id, const std::string& user) {
  SessionStarted s;
  s.id = id;
  s.user = user;
  s.service = "imap";
  return s;
}

SessionFilter of(const std::string& user) {
  SessionFilter f;
  f.users = {user};
  return f;
}

struct StateServiceTest : testing::Test {
  // Turns of the loop until `done`.
  bool run_until(const std::function<bool()>& done) {
    for (int i = 0; i < 500 && !done(); ++i) {
      event_base_loop(loop.base(), EVLOOP_ONCE | EVLOOP_NONBLOCK);
      loop.defer([this] { loop.stop(); });
      loop.run();
    }
    return done();
  }
  std::unique_ptr<Channel> login(uint32_t pid) {
    auto pair = make_channel_pair();
    service.add_login(std::move(pair->second), pid);
    Channel::Events events;
    events.packet = [this](std::string_view packet, std::span<Fd>) {
      if (const auto answer = decode_message<SessionReserved>(packet)) answers.push_back(answer->answer);
      if (const auto kick = decode_message<KickSessions>(packet)) kicked = kick->ids;
    };
    events.lost = [this](std::string_view) { closed = true; };
    return std::make_unique<Channel>(loop, std::move(pair->first), Role::Login, Role::State, std::move(events));
  }
  // What one-shot workers write to; the test itself plays the master.
  Fd reports() {
    auto pair = make_channel_pair();
    const int on = 1;
    ::setsockopt(pair->second.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
    service.add_reports(std::move(pair->second));
    return std::move(pair->first);
  }
  template <Message M>
  static void write(int fd, const M& message) {
    std::string packet;
    encode_message(message, packet);
    ASSERT_EQ(::send(fd, packet.data(), packet.size(), 0), static_cast<ssize_t>(packet.size()));
  }
  // A process that reports, as often as it is told to, and ends; its pid.
  template <Message M>
  static uint32_t worker(int fd, const M& message, int times = 1) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      for (int i = 0; i < times; ++i) write(fd, message);
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    return static_cast<uint32_t>(pid);
  }

  Loop loop;
  std::vector<KickWorkers> ordered;
  std::vector<uint64_t> kicked;
  std::vector<PlaceAnswer> answers;
  bool closed = false;
  StateService service{loop, static_cast<uint32_t>(::getpid()),
                       [this](KickWorkers k) { ordered.push_back(std::move(k)); }};
};

TEST_F(StateServiceTest, SessionsOfAWorkerEndWithIt) {
  auto worker = login(10);
  worker->send(session(1, "joe"));
  worker->send(session(2, "jim"));
  ASSERT_TRUE(run_until([&] { return service.roll().size() == 2; }));
  worker->send(SessionEnded{1});
  ASSERT_TRUE(run_until([&] { return service.roll().size() == 1; }));
  worker.reset();
  EXPECT_TRUE(run_until([&] { return service.roll().size() == 0; }));
}

TEST_F(StateServiceTest, KicksByTheWorkersOwnNumbersAndOnce) {
  auto worker = login(10);
  worker->send(session(7, "joe"));
  worker->send(session(8, "jim"));
  ASSERT_TRUE(run_until([&] { return service.roll().size() == 2; }));
  EXPECT_EQ(service.kick(of("j?e")), 1u);
  EXPECT_EQ(service.kick(of("joe")), 0u);
  ASSERT_TRUE(run_until([&] { return !kicked.empty(); }));
  EXPECT_EQ(kicked, std::vector<uint64_t>{7});
}

TEST_F(StateServiceTest, KicksALoginThatWasUnderWay) {
  auto worker = login(10);
  EXPECT_EQ(service.kick(of("joe")), 0u);
  SessionStarted later = session(2, "joe");
  later.decided = UINT64_MAX;
  worker->send(later);
  worker->send(session(1, "joe"));
  ASSERT_TRUE(run_until([&] { return !kicked.empty(); }));
  EXPECT_EQ(kicked, std::vector<uint64_t>{1});
}

TEST_F(StateServiceTest, NonsenseCostsTheWorkerItsConnection) {
  auto worker = login(10);
  worker->send(session(1, "joe"));
  ASSERT_TRUE(run_until([&] { return service.roll().size() == 1; }));
  const std::string nonsense = "\xffnonsense";
  ::send(worker->fd(), nonsense.data(), nonsense.size(), 0);
  EXPECT_TRUE(run_until([&] { return closed && service.roll().size() == 0; }));
}

// PRIV-11: whose report it is comes from the kernel.
TEST_F(StateServiceTest, AReportIsItsSenders) {
  const Fd pipe = reports();
  const uint32_t first = worker(pipe.get(), session(1, "joe")), second = worker(pipe.get(), session(1, "jim"));
  ASSERT_TRUE(run_until([&] { return service.roll().size() == 2; }));
  EXPECT_EQ(service.kick(of("j*")), 2u);
  ASSERT_EQ(ordered.size(), 1u);
  EXPECT_TRUE(ordered[0].many);
  std::sort(ordered[0].pids.begin(), ordered[0].pids.end());
  EXPECT_EQ(ordered[0].pids, (std::vector<uint32_t>{std::min(first, second), std::max(first, second)}));
  write(pipe.get(), WorkerGone{first});
  EXPECT_TRUE(run_until([&] { return service.roll().size() == 1; }));
}

TEST_F(StateServiceTest, OnlyTheMasterSaysWhoIsGone) {
  const Fd pipe = reports();
  const uint32_t first = worker(pipe.get(), session(1, "joe"));
  const CapturedLog log;
  const uint32_t liar = worker(pipe.get(), WorkerGone{first}, 20);
  worker(pipe.get(), SessionEnded{1});
  worker(pipe.get(), session(1, "last"));
  ASSERT_TRUE(run_until([&] { return service.roll().size() == 2; }));
  EXPECT_EQ(log.lines, "Error: login process " + std::to_string(liar) +
                           " broke the rules: master.worker_gone is not expected here\n")
      << "said once";
}

TEST_F(StateServiceTest, OneWorkerHasOneSession) {
  const Fd pipe = reports();
  worker(pipe.get(), session(1, "joe"));
  write(pipe.get(), WorkerGone{0});
  ASSERT_TRUE(run_until([&] { return service.roll().size() == 1; }));
  EXPECT_EQ(service.kick(of("joe")), 1u);
  ASSERT_EQ(ordered.size(), 1u);
  EXPECT_FALSE(ordered[0].many);
}

// --- limits ---------------------------------------------------------------------------

ReserveSession wish(uint64_t id, const std::string& user) {
  ReserveSession w;
  w.id = id;
  w.user = user;
  w.service = "imap";
  w.max_user = 1;
  return w;
}

// ANVIL-7
TEST_F(StateServiceTest, APlaceEndsWithItsWorker) {
  auto first = login(10), second = login(20);
  first->send(wish(1, "joe"));
  ASSERT_TRUE(run_until([&] { return answers.size() == 1; }));
  second->send(wish(1, "joe"));
  ASSERT_TRUE(run_until([&] { return answers.size() == 2; }));
  first.reset();
  ASSERT_TRUE(run_until([&] { return service.roll().size() == 0; }));
  second->send(wish(2, "joe"));
  ASSERT_TRUE(run_until([&] { return answers.size() == 3; }));
  EXPECT_EQ(answers, (std::vector<PlaceAnswer>{PlaceAnswer::Granted, PlaceAnswer::UserLimit, PlaceAnswer::Granted}));
}

TEST_F(StateServiceTest, TwoSessionsWithOneNumberAreNonsense) {
  auto worker = login(10);
  worker->send(wish(1, "joe"));
  worker->send(wish(1, "jim"));
  EXPECT_TRUE(run_until([&] { return closed && service.roll().size() == 0; }));
}

// It asks by a channel of its own; the kernel says whose that is, and there is one for each process.
TEST_F(StateServiceTest, AOneShotWorkerAsksByAChannelThatItSends) {
  const Fd pipe = reports();
  auto first = make_channel_pair(), second = make_channel_pair();
  const auto write_with = [&](Fd descriptor) {
    auto copy = Fd(::fcntl(pipe.get(), F_DUPFD_CLOEXEC, 3));
    Channel sender(loop, std::move(copy), Role::Login, Role::State, {});
    std::vector<Fd> descriptors;
    descriptors.push_back(std::move(descriptor));
    sender.send(WorkerConnected{}, std::move(descriptors));
  };
  const pid_t pid = ::fork();
  if (pid == 0) {
    write_with(std::move(first->second));
    write(first->first.get(), wish(1, "joe"));
    write(first->first.get(), session(1, "joe"));
    write_with(std::move(second->second));
    write(second->first.get(), session(1, "joe"));
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  first->second.reset();
  second->second.reset();
  ASSERT_TRUE(run_until([&] { return service.roll().size() == 1; }));
  char byte;
  ASSERT_TRUE(run_until([&] { return ::recv(first->first.get(), &byte, 1, MSG_DONTWAIT) == 0; }))
      << "the former channel is closed";
  ASSERT_TRUE(run_until([&] { return service.roll().size() == 1; }));
  EXPECT_EQ(service.kick(of("joe")), 1u);
  ASSERT_EQ(ordered.size(), 1u) << "by the master, who spreads many";
  EXPECT_EQ(ordered[0].pids, std::vector<uint32_t>{static_cast<uint32_t>(pid)});
  second->first.reset();
  EXPECT_TRUE(run_until([&] { return service.roll().size() == 0; })) << "its end is the channel's";
}

}  // namespace
}  // namespace postern
