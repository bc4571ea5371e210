#include "state/reservations.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

namespace postern {
namespace {

// --- who has to go --------------------------------------------------------------------

IdleSession idle(uint64_t id, uint32_t seconds, bool same_address = true) { return {{1, id}, seconds, same_address}; }

std::vector<uint64_t> chosen(std::vector<IdleSession> from, size_t of_user, size_t of_userip) {
  std::vector<uint64_t> ids;
  for (const SessionKey& key : choose_longest_idle(std::move(from), of_user, of_userip)) ids.push_back(key.id);
  return ids;
}

using Ids = std::vector<uint64_t>;

TEST(LongestIdle, GoesFirst) {
  EXPECT_EQ(chosen({idle(1, 20), idle(2, 40), idle(3, 30)}, 1, 0), Ids{2});
  EXPECT_EQ(chosen({idle(1, 20), idle(2, 40), idle(3, 30)}, 2, 0), (Ids{2, 3}));
  EXPECT_EQ(chosen({idle(2, 20), idle(1, 20)}, 1, 0), Ids{1}) << "the older one of two";
}

TEST(LongestIdle, OfTheSameAddressWhereThatIsTheLimit) {
  EXPECT_EQ(chosen({idle(1, 90, false), idle(2, 40)}, 0, 1), Ids{2});
  EXPECT_EQ(chosen({idle(1, 90, false), idle(2, 40)}, 1, 0), Ids{1});
  EXPECT_EQ(chosen({idle(1, 90, false), idle(2, 40)}, 1, 1), Ids{2}) << "one for both limits";
  EXPECT_EQ(chosen({idle(1, 90, false), idle(2, 40), idle(3, 50)}, 2, 1), (Ids{3, 1}));
}

TEST(LongestIdle, NobodyGoesInVain) {
  EXPECT_EQ(chosen({}, 1, 0), Ids{});
  EXPECT_EQ(chosen({idle(1, 20)}, 2, 0), Ids{});
  EXPECT_EQ(chosen({idle(1, 20, false)}, 1, 1), Ids{});
}

// --- places -----------------------------------------------------------------------------

struct ReservationsTest : testing::Test, Reservations::Post {
  void send(uint64_t owner, const SessionReserved& m) override {
    static constexpr std::string_view kWords[] = {"granted", "user limit", "userip limit"};
    said.push_back(fmt::format("{}/{} {}", owner, m.id, kWords[static_cast<size_t>(m.answer)]));
  }
  bool send(uint64_t owner, const AskIdle& m) override {
    if (owner == kDeaf) return false;
    queries[owner] = m.query;
    std::string line = fmt::format("{} idle?", owner);
    for (const uint64_t id : m.ids) line += fmt::format(" {}", id);
    said.push_back(line);
    return true;
  }
  void send(uint64_t owner, const CloseIdle& m) override {
    for (const uint64_t id : m.ids) said.push_back(fmt::format("close {}/{}", owner, id));
  }
  void ask(SessionKey who, bool close_idle = false, const std::string& address = "192.0.2.1") {
    ReserveSession wish;
    wish.id = who.id;
    wish.user = "joe";
    wish.service = "imap";
    wish.address = IpAddress::parse(address).value_or(IpAddress());
    wish.max_user = limit;
    wish.close_idle = close_idle;
    wish.min_idle = 10;
    EXPECT_TRUE(reservations.ask(who, 1, wish, now));
  }
  // He got his place and is in.
  void in(SessionKey who) {
    ask(who);
    SessionStarted s;
    s.id = who.id;
    s.user = "joe";
    s.service = "imap";
    s.remote.ip = IpAddress::parse("192.0.2.1").value_or(IpAddress());
    s.backend.ip = IpAddress::parse("10.0.0.1").value_or(IpAddress());
    EXPECT_TRUE(roll.add(who, 1, s));
    said.clear();
  }
  void tell(uint64_t owner, std::vector<std::pair<uint64_t, uint32_t>> idle) {
    reservations.hear(owner, {queries[owner], std::move(idle)});
  }
  void end(SessionKey who) {
    roll.remove(who);
    reservations.ended(who);
  }
  void lose(uint64_t owner) {
    roll.forget(owner);
    reservations.owner_gone(owner);
  }
  std::vector<std::string> heard() { return std::exchange(said, {}); }

  static constexpr uint64_t kDeaf = 99;
  using Said = std::vector<std::string>;
  uint32_t limit = 2;
  Instant now = Instant(Milliseconds(100'000));
  Said said;
  std::map<uint64_t, uint64_t> queries;
  Roll roll;
  Reservations reservations{roll, *this};
};

TEST_F(ReservationsTest, APlaceIsTakenFromTheMomentItIsGranted) {
  ask({1, 1});
  ask({2, 1});
  ask({1, 2});
  ask({3, 1});
  EXPECT_EQ(heard(), (Said{"1/1 granted", "2/1 granted", "1/2 user limit", "3/1 user limit"}));
  unsigned listed = 0;
  roll.each({}, {}, [&](const SessionKey&, const RollEntry&) { return ++listed, true; });
  EXPECT_EQ(listed, 0u) << "nobody is in yet";
}

TEST_F(ReservationsTest, ThePlaceAndItsSessionAreOne) {
  in({1, 1});
  ask({1, 2});
  ask({1, 3});
  EXPECT_EQ(heard(), (Said{"1/2 granted", "1/3 user limit"}));
}

TEST_F(ReservationsTest, PlacesComeBackWithEndsAndOwners) {
  in({1, 1});
  ask({2, 1});
  end({2, 1});
  ask({2, 2});
  lose(1);
  ask({2, 3});
  ask({2, 4});
  EXPECT_EQ(heard(), (Said{"2/1 granted", "2/2 granted", "2/3 granted", "2/4 user limit"}));
}

// Limits that were set while sessions were running: those count.
TEST_F(ReservationsTest, SessionsWithoutAPlaceCountOnceALimitIsAskedFor) {
  SessionStarted s;
  s.user = "joe";
  s.service = "imap";
  s.remote.ip = IpAddress::parse("192.0.2.1").value_or(IpAddress());
  EXPECT_TRUE(roll.add({7, 1}, 7, s)) << "a local one";
  s.backend.ip = IpAddress::parse("10.0.0.1").value_or(IpAddress());
  EXPECT_TRUE(roll.add({8, 1}, 8, s));
  ask({1, 1});
  EXPECT_TRUE(roll.add({9, 1}, 9, s));
  ask({1, 2});
  end({9, 1});
  ask({1, 3});
  EXPECT_EQ(heard(), (Said{"1/1 granted", "1/2 user limit", "1/3 user limit"}));
}

TEST_F(ReservationsTest, APlaceThatWasGivenBeforeIsNotAskedForAgain) {
  ReserveSession held;
  held.user = "joe";
  held.service = "imap";
  held.held = true;
  EXPECT_TRUE(reservations.ask({1, 1}, 1, held, now));
  EXPECT_TRUE(reservations.ask({1, 2}, 1, held, now));
  EXPECT_TRUE(reservations.ask({1, 3}, 1, held, now)) << "beyond the limit while nobody counted";
  EXPECT_FALSE(reservations.ask({1, 3}, 1, held, now)) << "twice is nonsense";
  ask({1, 4});
  EXPECT_EQ(heard(), Said{"1/4 user limit"});
}

// --- the longest idle one makes room -----------------------------------------------------

TEST_F(ReservationsTest, TheLongestIdleIsClosedAndItsEndLetsTheNewOneIn) {
  in({1, 1});
  in({2, 1});
  ask({3, 1}, true);
  EXPECT_EQ(heard(), (Said{"1 idle? 1", "2 idle? 1"}));
  tell(1, {{1, 20}});
  EXPECT_EQ(heard(), Said{});
  tell(2, {{1, 30}});
  EXPECT_EQ(heard(), Said{"close 2/1"});
  ask({3, 2});
  EXPECT_EQ(heard(), Said{"3/2 user limit"}) << "the place is not free before its session has ended";
  end({2, 1});
  ask({3, 3});
  EXPECT_EQ(heard(), (Said{"3/1 granted", "3/3 user limit"})) << "and nobody is faster";
}

TEST_F(ReservationsTest, NobodyIsIdleLongEnough) {
  in({1, 1});
  in({1, 2});
  ask({3, 1}, true);
  tell(1, {{1, 9}, {2, 0}});
  EXPECT_EQ(heard(), (Said{"1 idle? 1 2", "3/1 user limit"}));
}

TEST_F(ReservationsTest, TwoNewOnesCloseTwo) {
  in({1, 1});
  in({1, 2});
  ask({3, 1}, true);
  const uint64_t first = queries[1];
  ask({3, 2}, true);
  heard();
  tell(1, {{1, 20}, {2, 30}});
  reservations.hear(1, {first, {{1, 20}, {2, 30}}});
  ask({3, 3}, true);
  EXPECT_EQ(heard(), (Said{"close 1/2", "close 1/1", "3/3 user limit"})) << "the third finds nobody left";
  end({1, 1});
  end({1, 2});
  EXPECT_EQ(heard(), (Said{"3/1 granted", "3/2 granted"}));
}

TEST_F(ReservationsTest, OwnersThatGoMakeRoomToo) {
  in({1, 1});
  in({2, 1});
  ask({3, 1}, true);
  tell(1, {{1, 0}});
  heard();
  lose(2);
  EXPECT_EQ(heard(), Said{"3/1 granted"});
  ask({3, 2}, true);
  tell(1, {{1, 50}});
  heard();
  lose(1);
  EXPECT_EQ(heard(), Said{"3/2 granted"});
}

TEST_F(ReservationsTest, WhoLeavesMeanwhileGetsNoPlace) {
  in({1, 1});
  in({1, 2});
  ask({3, 1}, true);
  ask({4, 1}, true);
  end({3, 1});
  lose(4);
  heard();
  tell(1, {{1, 50}, {2, 40}});
  EXPECT_EQ(heard(), Said{});
  EXPECT_FALSE(reservations.anybody_waits());
}

TEST_F(ReservationsTest, NobodyWaitsForEver) {
  in({1, 1});
  in({2, 1});
  ask({3, 1}, true);
  tell(1, {{1, 50}});
  heard();
  reservations.expire(now + Reservations::kPatience - Milliseconds(1));
  EXPECT_EQ(heard(), Said{});
  reservations.expire(now + Reservations::kPatience);
  EXPECT_EQ(heard(), Said{"3/1 user limit"});
  tell(2, {{1, 50}});
  EXPECT_EQ(heard(), Said{}) << "too late";
}

TEST_F(ReservationsTest, OwnersSpeakForTheirOwnSessionsOnly) {
  in({1, 1});
  in({2, 1});
  ask({3, 1}, true);
  heard();
  reservations.hear(7, {queries[1], {{1, 5000}}});
  tell(1, {{1, 20}, {5, 7000}, {1, 9000}});
  tell(1, {{1, 9000}});
  tell(2, {{1, 30}});
  EXPECT_EQ(heard(), Said{"close 2/1"});
}

TEST_F(ReservationsTest, ThoseWhoCannotBeAskedStay) {
  in({kDeaf, 1});
  in({kDeaf, 2});
  ask({3, 1}, true);
  EXPECT_EQ(heard(), Said{"3/1 user limit"});
}

TEST_F(ReservationsTest, ALowerLimitTakesSeveral) {
  limit = 4;
  for (uint64_t id = 1; id <= 4; ++id) in({1, id});
  limit = 2;
  ask({3, 1}, true);
  heard();
  tell(1, {{1, 20}, {2, 30}, {3, 0}, {4, 40}});
  EXPECT_EQ(heard(), (Said{"close 1/4", "close 1/2", "close 1/1"}));
  end({1, 4});
  end({1, 2});
  EXPECT_EQ(heard(), Said{});
  end({1, 1});
  EXPECT_EQ(heard(), Said{"3/1 granted"});
}

TEST_F(ReservationsTest, ThoseWhoWaitAreBounded) {
  in({1, 1});
  in({1, 2});
  for (uint64_t id = 1; id <= Reservations::kMostOfUser; ++id) ask({3, id}, true);
  heard();
  ask({3, 9999}, true);
  EXPECT_EQ(heard(), Said{"3/9999 user limit"});
}

}  // namespace
}  // namespace postern
