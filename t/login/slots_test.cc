#include "login/slots.h"

#include <gtest/gtest.h>

namespace postern {
namespace {

TEST(Slots, GivesAPlaceBackForEver) {
  Slots s(2, 0);
  s.taken();
  s.taken();
  EXPECT_EQ(s.available(), 0u);
  s.ended();
  EXPECT_EQ(s.available(), 1u);
  EXPECT_FALSE(s.retired());
}

// MASTER-2: service_count bounds client_limit
TEST(Slots, TakesOneInItsLife) {
  Slots s(1000, 1);
  EXPECT_EQ(s.available(), 1u);
  s.taken();
  EXPECT_EQ(s.available(), 0u);
  EXPECT_TRUE(s.retired());
  s.ended();
  EXPECT_EQ(s.available(), 0u);
}

// MASTER-21: no more than N are ever taken
TEST(Slots, RetiresAfterItsCount) {
  Slots s(2, 3);
  s.taken();
  s.taken();
  EXPECT_EQ(s.available(), 0u);
  EXPECT_FALSE(s.retired());
  s.ended();
  EXPECT_EQ(s.available(), 1u);
  s.taken();
  EXPECT_TRUE(s.retired());
  s.ended();
  s.ended();
  EXPECT_EQ(s.available(), 0u);
  EXPECT_EQ(s.used(), 0u);
}

}  // namespace
}  // namespace postern
