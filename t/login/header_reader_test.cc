#include "login/header_reader.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "base/fd.h"

namespace postern {
namespace {

using State = HeaderReader::State;

struct Pair {
  Pair() {
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    ours.reset(fds[0]);
    theirs.reset(fds[1]);
  }
  void say(std::string_view text) const {
    ASSERT_EQ(::send(theirs.get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  }
  std::string rest() const {
    char buffer[256];
    const ssize_t n = ::recv(ours.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    return n < 0 ? "" : std::string(buffer, static_cast<size_t>(n));
  }
  Fd ours, theirs;
};

const std::string kHeader = "PROXY TCP4 192.0.2.1 192.0.2.2 50000 143\r\n";

// However it arrives, what stands behind the header stays where it is.
TEST(HeaderReader, LeavesWhatStandsBehind) {
  for (size_t cut = 1; cut < kHeader.size(); ++cut) {
    const Pair pair;
    HeaderReader reader;
    pair.say(kHeader.substr(0, cut));
    EXPECT_EQ(reader.read(pair.ours.get()), State::Waiting);
    pair.say(kHeader.substr(cut) + "a1 CAPABILITY\r\n");
    EXPECT_EQ(reader.read(pair.ours.get()), State::Complete) << "cut at " << cut;
    EXPECT_EQ(reader.header().remote.text(), "192.0.2.1:50000");
    EXPECT_EQ(pair.rest(), "a1 CAPABILITY\r\n");
  }
}

// Nothing is left to be announced again and again.
TEST(HeaderReader, TakesAnIncompleteHeader) {
  const Pair pair;
  HeaderReader reader;
  EXPECT_EQ(reader.read(pair.ours.get()), State::Waiting);
  pair.say(kHeader.substr(0, 10));
  EXPECT_EQ(reader.read(pair.ours.get()), State::Waiting);
  EXPECT_EQ(pair.rest(), "");
}

TEST(HeaderReader, SeesTheEnd) {
  Pair pair;
  HeaderReader reader;
  pair.say("PROXY");
  EXPECT_EQ(reader.read(pair.ours.get()), State::Waiting);
  pair.theirs.reset();
  EXPECT_EQ(reader.read(pair.ours.get()), State::Closed);
}

TEST(HeaderReader, RefusesWhatIsNone) {
  const Pair pair;
  HeaderReader reader;
  pair.say("a1 CAPABILITY\r\n");
  EXPECT_EQ(reader.read(pair.ours.get()), State::Broken);
  EXPECT_EQ(reader.why(), "not a PROXY header");
}

// The longest header fits; a sender cannot have us take more.
TEST(HeaderReader, IsBounded) {
  const Pair pair;
  HeaderReader reader;
  std::string longest("\r\n\r\n\0\r\nQUIT\n\x20\0\x0f\xf0", 16);
  longest.append(kMaxProxyHeader - 16, 'x');
  pair.say(longest.substr(0, longest.size() - 1));
  EXPECT_EQ(reader.read(pair.ours.get()), State::Waiting);
  pair.say("xy");
  EXPECT_EQ(reader.read(pair.ours.get()), State::Complete);
  EXPECT_EQ(pair.rest(), "y");
}

}  // namespace
}  // namespace postern
