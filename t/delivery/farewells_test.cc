#include "delivery/farewells.h"

#include <gtest/gtest.h>

#include "proxy/sockets.h"

namespace postern {
namespace {

using test::run_until;

struct FarewellsTest : testing::Test {
  Loop loop;
  Farewells farewells{loop};
};

TEST_F(FarewellsTest, TheOtherSideClosesFirst) {
  auto [near, far] = test::tcp_pair();
  farewells.say(Stream(std::move(near)), "QUIT\r\n");
  EXPECT_EQ(farewells.size(), 1u);
  std::string heard;
  ASSERT_TRUE(run_until(loop, [&] { return test::drain_into(far, heard) && heard == "QUIT\r\n"; }));
  ASSERT_EQ(::write(far.get(), "221 bye\r\n", 9), 9);
  bool told = false;
  loop.defer([&] { told = true; });
  ASSERT_TRUE(run_until(loop, [&] { return told; }));
  EXPECT_EQ(farewells.size(), 1u) << "its words change nothing";
  far.reset();
  EXPECT_TRUE(run_until(loop, [&] { return farewells.size() == 0; }));
}

TEST_F(FarewellsTest, WhatCannotBeSaidIsNotSaid) {
  auto [near, far] = test::tcp_pair();
  const std::string noise(1 << 20, 'x');
  while (::write(near.get(), noise.data(), noise.size()) > 0) {}
  farewells.say(Stream(std::move(near)), "QUIT\r\n");
  EXPECT_EQ(farewells.size(), 0u);
  std::string heard;
  EXPECT_TRUE(run_until(loop, [&] { return !test::drain_into(far, heard); }));
  EXPECT_EQ(heard.find('Q'), std::string::npos);
}

TEST_F(FarewellsTest, EachGoesAtItsTime) {
  std::vector<std::pair<Fd, Fd>> pairs;
  for (int i = 0; i < 20; ++i) {
    pairs.push_back(test::tcp_pair());
    farewells.say(Stream(std::move(pairs.back().first)), "QUIT\r\n");
  }
  EXPECT_EQ(farewells.size(), 20u);
  for (size_t i = 0; i < pairs.size(); i += 2) pairs[i].second.reset();
  EXPECT_TRUE(run_until(loop, [&] { return farewells.size() == 10; }));
  pairs.clear();
  EXPECT_TRUE(run_until(loop, [&] { return farewells.size() == 0; }));
}

}  // namespace
}  // namespace postern
