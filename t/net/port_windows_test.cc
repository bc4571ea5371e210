#include "net/port_windows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "net/source_addresses.h"

namespace postern {
namespace {

std::pair<uint32_t, uint32_t> bounds(uint32_t window) { return {window & 0xffff, window >> 16}; }

TEST(PortWindows, ReadTheSystemsRange) {
  const auto range = parse_port_range("32768\t60999\n");
  ASSERT_TRUE(range);
  EXPECT_EQ(range->first, 32768);
  EXPECT_EQ(range->second, 60999);
  for (const char* bad : {"", "1024", "0 10", "20 10", "1 70000", "a b"}) EXPECT_FALSE(parse_port_range(bad)) << bad;
}

TEST(PortWindows, NoneUnlessTold) {
  PortWindows none;
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(none.next(), 0u);
}

// PROBES 4: a window outside the system's range would be ignored by the kernel without an error.
TEST(PortWindows, CoverTheRangeOnceBeforeAnyTwice) {
  for (const auto& [low, high] :
       {std::pair<uint16_t, uint16_t>{16384, 65535}, {32768, 60999}, {1025, 1100}, {1024, 1152}, {5000, 5000}}) {
    PortWindows windows(low, high, 12345);
    const uint32_t count = (high - low) / 128 + 1;
    std::set<uint32_t> seen;
    uint32_t ports = 0;
    for (uint32_t i = 0; i < count; ++i) {
      const auto [from, to] = bounds(windows.next());
      EXPECT_GE(from, low);
      EXPECT_LE(to, high);
      EXPECT_LE(from, to);
      EXPECT_TRUE(seen.insert(from).second) << from;
      ports += to - from + 1;
    }
    EXPECT_EQ(ports, high - low + 1u);
  }
}

TEST(PortWindows, ProcessesBeginApart) {
  std::set<uint32_t> first;
  for (uint32_t seed = 0; seed < 100; ++seed) first.insert(PortWindows(16384, 65535, seed).next());
  EXPECT_EQ(first.size(), 100u);
}

TEST(SourceAddresses, RemembersForASecondThatASourceIsFull) {
  SourceAddresses sources;
  const IpAddress source = *IpAddress::parse("127.0.0.1");
  const Endpoint here{source, 143}, there{source, 993};
  const Instant now{};
  EXPECT_FALSE(sources.is_full(source, here, now));
  sources.mark_full(source, here, now);
  EXPECT_TRUE(sources.is_full(source, here, now + Milliseconds(999)));
  EXPECT_FALSE(sources.is_full(source, there, now)) << "another destination has ports of its own";
  EXPECT_FALSE(sources.is_full({}, here, now));
  EXPECT_FALSE(sources.is_full(source, here, now + Milliseconds(1000)));
}

}  // namespace
}  // namespace postern
