#include "state/roll.h"

#include <gtest/gtest.h>

namespace postern {
namespace {

SessionStarted session(const std::string& user, const std::string& remote, const std::string& backend = "10.0.0.1",
                       uint64_t decided = 0) {
  SessionStarted s;
  s.user = user;
  s.service = "imap";
  s.remote = {IpAddress::parse(remote).value_or(IpAddress()), 50000};
  if (!backend.empty()) s.backend = {IpAddress::parse(backend).value_or(IpAddress()), 143};
  s.decided = decided;
  return s;
}

AdminRequest asking(std::vector<std::string> users, std::string network = "", std::string backend = "") {
  AdminRequest r;
  r.users = std::move(users);
  r.network = std::move(network);
  r.backend = std::move(backend);
  return r;
}

bool matches(const AdminRequest& request, const SessionStarted& s) {
  const auto filter = filter_from(request);
  EXPECT_TRUE(filter);
  return filter && filter->matches(s);
}

// ADM-1
TEST(SessionFilter, MasksAreAlternativesAndTheNetworkMustMatchToo) {
  const SessionStarted joe = session("Joe@example.org", "192.0.2.7");
  EXPECT_TRUE(matches(asking({}), joe));
  EXPECT_TRUE(matches(asking({"x", "joe@*"}), joe));
  EXPECT_FALSE(matches(asking({"joe"}), joe));
  EXPECT_TRUE(matches(asking({}, "192.0.2.0/24"), joe));
  EXPECT_TRUE(matches(asking({"*"}, "192.0.2.7"), joe));
  EXPECT_FALSE(matches(asking({"x"}, "192.0.2.0/24"), joe));
  EXPECT_FALSE(matches(asking({"*"}, "192.0.3.0/24"), joe));
  EXPECT_TRUE(matches(asking({"123"}), session("123", "192.0.2.7")));
}

TEST(SessionFilter, ByBackendAndKind) {
  const SessionStarted proxied = session("joe", "192.0.2.7"), local = session("joe", "192.0.2.7", "");
  EXPECT_TRUE(matches(asking({}, "", "10.0.0.1"), proxied));
  EXPECT_FALSE(matches(asking({}, "", "10.0.0.2"), proxied));
  EXPECT_FALSE(matches(asking({}, "", "10.0.0.1"), local));
  AdminRequest r;
  r.proxied = true;
  EXPECT_TRUE(matches(r, proxied));
  EXPECT_FALSE(matches(r, local));
}

TEST(SessionFilter, RefusesWhatIsNoAddress) {
  EXPECT_FALSE(filter_from(asking({}, "192.0.2.0/99")));
  EXPECT_FALSE(filter_from(asking({}, "", "backend")));
}

std::vector<std::string> users(Roll& roll, std::optional<SessionKey> after = {}) {
  std::vector<std::string> out;
  roll.each({}, after, [&](const SessionKey&, const RollEntry& e) { return out.push_back(e.session().user), true; });
  return out;
}

TEST(Roll, KnowsWhoIsThere) {
  Roll roll;
  EXPECT_TRUE(roll.add({1, 1}, 10, session("a", "::1")));
  EXPECT_TRUE(roll.add({1, 2}, 10, session("b", "::1")));
  EXPECT_TRUE(roll.add({2, 1}, 20, session("c", "::1")));
  EXPECT_EQ(users(roll), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(users(roll, SessionKey{1, 1}), (std::vector<std::string>{"b", "c"}));
  roll.remove({1, 1});
  roll.remove({1, 1});
  roll.remove({7, 7});
  EXPECT_EQ(users(roll), (std::vector<std::string>{"b", "c"}));
  EXPECT_TRUE(roll.add({1, 2}, 10, session("B", "::1")));  // told again
  EXPECT_EQ(roll.size(), 2u);
  roll.forget(1);
  EXPECT_EQ(users(roll), std::vector<std::string>{"c"});
}

TEST(Roll, IsBounded) {
  Roll roll;
  EXPECT_FALSE(roll.add({1, 1}, 10, session(std::string(kMaxReportText + 1, 'x'), "::1")));
  EXPECT_TRUE(roll.add({1, 1}, 10, session(std::string(kMaxReportText, 'x'), "::1")));
  for (uint64_t i = 2; i <= kMaxSessionsPerOwner; ++i) ASSERT_TRUE(roll.add({1, i}, 10, {}));
  EXPECT_FALSE(roll.add({1, kMaxSessionsPerOwner + 1}, 10, {}));
  EXPECT_TRUE(roll.add({1, 1}, 10, {}));
  EXPECT_TRUE(roll.add({2, 1}, 20, {}));
  EXPECT_EQ(roll.size(), kMaxSessionsPerOwner + 1);
}

SessionFilter of(const std::string& user) {
  SessionFilter f;
  f.users = {user};
  return f;
}

// A login that had its answer from auth before the kick is meant; one that is decided later is not.
TEST(KickMemory, HoldsForLoginsUnderWay) {
  KickMemory kicks;
  kicks.add(of("joe"), 1000);
  EXPECT_TRUE(kicks.applies(session("joe", "::1", "::2", 900), 1100));
  EXPECT_TRUE(kicks.applies(session("joe", "::1", "::2", 1000), 1100));
  EXPECT_FALSE(kicks.applies(session("joe", "::1", "::2", 1001), 1100));
  EXPECT_FALSE(kicks.applies(session("jim", "::1", "::2", 900), 1100));
  EXPECT_FALSE(kicks.applies(session("joe", "::1", "::2", 900), 1001 + KickMemory::kMilliseconds));
}

TEST(KickMemory, IsBounded) {
  KickMemory kicks;
  for (size_t i = 0; i <= KickMemory::kMost; ++i) kicks.add(of("user" + std::to_string(i)), 1000);
  EXPECT_FALSE(kicks.applies(session("user0", "::1"), 1000));
  EXPECT_TRUE(kicks.applies(session("user1", "::1"), 1000));
}

}  // namespace
}  // namespace postern
