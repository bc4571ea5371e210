#include "base/wire.h"

#include <gtest/gtest.h>

namespace postern {
namespace {

enum class Colour : uint8_t { Red, Green, kCount };

struct Sample {
  bool flag = false;
  int64_t number = 0;
  Colour colour = Colour::Red;
  std::string text;
  SecretString secret;
  std::optional<std::string> maybe;
  std::vector<std::pair<std::string, uint16_t>> list;
  std::map<std::string, std::string> map;
  std::variant<bool, std::string> either;
  Endpoint endpoint;
  Network network;
  std::chrono::milliseconds time{0};
  auto fields() {
    return std::tie(flag, number, colour, text, secret, maybe, list, map, either, endpoint, network, time);
  }
};

std::string encoded(const Sample& sample) {
  std::string out;
  Writer(out).put(sample);
  return out;
}

Sample full() {
  Sample s;
  s.flag = true;
  s.number = -5;
  s.colour = Colour::Green;
  s.text = std::string("a\0b", 3);
  s.secret = SecretString("pw");
  s.maybe = "";
  s.list = {{"x", 1}, {"", 65535}};
  s.map = {{"k", "v"}};
  s.either = "text";
  s.endpoint = {*IpAddress::parse("2001:db8::1"), 993};
  s.network = *Network::parse("10.0.0.0/8");
  s.time = std::chrono::milliseconds(1500);
  return s;
}

template <class T>
bool decodes(std::string_view bytes, T& out) {
  Reader reader(bytes);
  reader.get(out);
  return reader.ok() && reader.at_end();
}

TEST(Wire, RoundTripsEveryKindOfField) {
  const Sample in = full();
  Sample out;
  ASSERT_TRUE(decodes(encoded(in), out));
  EXPECT_EQ(out.flag, in.flag);
  EXPECT_EQ(out.number, in.number);
  EXPECT_EQ(out.colour, in.colour);
  EXPECT_EQ(out.text, in.text);
  EXPECT_EQ(out.secret.reveal(), "pw");
  EXPECT_EQ(out.maybe, in.maybe);
  EXPECT_EQ(out.list, in.list);
  EXPECT_EQ(out.map, in.map);
  EXPECT_EQ(out.either, in.either);
  EXPECT_EQ(out.endpoint, in.endpoint);
  EXPECT_EQ(out.network, in.network);
  EXPECT_EQ(out.time, in.time);
}

TEST(Wire, TellsAbsentFromEmpty) {
  Sample in, out = full();
  ASSERT_TRUE(decodes(encoded(in), out));
  EXPECT_FALSE(out.maybe);
}

TEST(Wire, NoticesEveryCut) {
  const std::string bytes = encoded(full());
  for (size_t size = 0; size < bytes.size(); ++size) {
    Sample out;
    EXPECT_FALSE(decodes(std::string_view(bytes).substr(0, size), out)) << size;
  }
  Sample out;
  EXPECT_FALSE(decodes(bytes + "x", out));
}

TEST(Wire, RefusesValuesThatAreNone) {
  bool flag = false;
  EXPECT_FALSE(decodes(std::string_view("\2", 1), flag));
  Colour colour = Colour::Red;
  EXPECT_TRUE(decodes(std::string_view("\1", 1), colour));
  EXPECT_FALSE(decodes(std::string_view("\2", 1), colour));
  EXPECT_EQ(colour, Colour::Green);
  std::variant<bool, std::string> either;
  EXPECT_FALSE(decodes(std::string_view("\2\0", 2), either));
  IpAddress ip;
  EXPECT_FALSE(decodes(std::string_view("\3\0\0\0abc", 7), ip));
  Network network;
  EXPECT_FALSE(decodes(std::string_view("\4\0\0\0\x0a\0\0\0\x21", 9), network));
}

TEST(Wire, AllocatesNothingForCountsThatCannotBe) {
  std::vector<std::string> list;
  EXPECT_FALSE(decodes(std::string_view("\xff\xff\xff\xff", 4), list));
  EXPECT_TRUE(list.empty());
  std::string text;
  EXPECT_FALSE(decodes(std::string_view("\xff\xff\xff\x7f"
                                        "abc",
                                        7),
                       text));
}

}  // namespace
}  // namespace postern
