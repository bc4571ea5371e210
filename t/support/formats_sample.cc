// Not a test of ours: what formats_test.py runs to see how results are printed.
#include <gtest/gtest.h>

TEST(group_one, pass) { EXPECT_EQ(1, 1); }
TEST(group_one, fail) { FAIL() << "first line]]>\nsecond & line"; }
TEST(group_one, skip) { GTEST_SKIP() << "no database"; }
TEST(group_two, pass) { SUCCEED(); }
TEST(group_two, DISABLED_off) { FAIL(); }
