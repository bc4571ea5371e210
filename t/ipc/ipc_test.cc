// Channels and the codec of messages.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "event/loop.h"
#include "ipc/channel.h"

namespace postern {
namespace {

TEST(Messages, RoundTrip) {
  AuthReply reply;
  reply.id = 7;
  reply.result = AuthResult::Ok;
  reply.user = "u";
  reply.extra = {{"host", "h"}, {"nologin", ""}};
  reply.addresses = {*IpAddress::parse("2001:db8::1")};
  reply.password = SecretString("secret");
  std::string packet;
  encode_message(reply, packet);
  const auto back = decode_message<AuthReply>(packet);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->id, 7u);
  EXPECT_EQ(back->extra, reply.extra);
  EXPECT_EQ(back->addresses, reply.addresses);
  EXPECT_EQ(back->password->reveal(), "secret");
}

TEST(Messages, CutOrLongerIsRefused) {
  std::string packet;
  encode_message(ForkWorker{3, {*IpAddress::parse("192.0.2.1"), 143}}, packet);
  for (size_t n = 1; n < packet.size(); ++n) EXPECT_FALSE(decode_message<ForkWorker>(packet.substr(0, n))) << n;
  EXPECT_TRUE(decode_message<ForkWorker>(packet));
  EXPECT_FALSE(decode_message<ForkWorker>(packet + "x"));
  EXPECT_FALSE(decode_message<ChildReady>(packet));
}

struct Handler {
  uint32_t available = 0;
  int descriptors = 0;
  void on(const ChildReady& m) { available = m.available; }
  void on(const PeerOpened&, std::span<Fd> fds) { descriptors = static_cast<int>(fds.size()); }
};

TEST(Dispatch, OnlyWhatMayComeThisWay) {
  Handler handler;
  std::string ready, peer, fork;
  encode_message(ChildReady{5}, ready);
  encode_message(PeerOpened{Role::Auth, 1}, peer);
  encode_message(ForkWorker{}, fork);
  EXPECT_TRUE(dispatch(ready, {}, Role::Login, Role::Master, handler));
  EXPECT_EQ(handler.available, 5u);
  EXPECT_FALSE(dispatch(ready, {}, Role::Login, Role::Auth, handler));
  EXPECT_FALSE(dispatch(peer, {}, Role::Login, Role::Master, handler));
  EXPECT_TRUE(dispatch(peer, {}, Role::Master, Role::Login, handler));
  EXPECT_EQ(dispatch(fork, {}, Role::Master, Role::Login, handler).error(), "master.fork_worker is not expected here");
  EXPECT_EQ(dispatch("\xff", {}, Role::Master, Role::Login, handler).error(), "unknown message number");
  EXPECT_EQ(dispatch("", {}, Role::Master, Role::Login, handler).error(), "empty message");
}

class ChannelTest : public ::testing::Test {
 protected:
  ChannelTest() {
    auto pair = make_channel_pair();
    raw_ = std::move(pair->second);
    Channel::Events events;
    events.packet = [this](std::string_view packet, std::span<Fd> fds) {
      packets_.emplace_back(packet);
      for (Fd& fd : fds) received_.push_back(std::move(fd));
    };
    events.lost = [this](std::string_view why) {
      lost_ = why;
      loop_.stop();
    };
    channel_ = std::make_unique<Channel>(loop_, std::move(pair->first), Role::Master, Role::Login, std::move(events));
  }
  Loop loop_;
  Fd raw_;
  std::unique_ptr<Channel> channel_;
  std::vector<std::string> packets_;
  std::vector<Fd> received_;
  std::string lost_;
};

TEST_F(ChannelTest, EverythingSentBeforeTheEndArrives) {
  std::string packet;
  encode_message(ChildStatus{1, false}, packet);
  for (int i = 0; i < 40; ++i) ASSERT_GT(::send(raw_.get(), packet.data(), packet.size(), 0), 0);
  raw_.reset();
  loop_.run();
  EXPECT_EQ(packets_.size(), 40u);
  EXPECT_EQ(lost_, "closed");
  EXPECT_TRUE(channel_->dead());
}

TEST_F(ChannelTest, DescriptorsTravelWithTheirMessage) {
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  std::vector<Fd> fds;
  fds.emplace_back(pipe[1]);
  const Fd read_end(pipe[0]);
  channel_->send(PeerOpened{Role::Auth, 1}, std::move(fds));
  channel_->flush();
  char bytes[256];
  alignas(cmsghdr) char control[64];
  iovec iov{bytes, sizeof bytes};
  msghdr header{};
  header.msg_iov = &iov;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  ASSERT_GT(::recvmsg(raw_.get(), &header, 0), 0);
  const cmsghdr* c = CMSG_FIRSTHDR(&header);
  ASSERT_NE(c, nullptr);
  int fd = -1;
  memcpy(&fd, CMSG_DATA(c), sizeof fd);
  const Fd got(fd);
  ASSERT_EQ(::write(got.get(), "x", 1), 1);
  char x = 0;
  EXPECT_EQ(::read(read_end.get(), &x, 1), 1);
}

TEST_F(ChannelTest, WhatTheKernelDoesNotTakeWaits) {
  for (int i = 0; i < 2000; ++i) channel_->send(StopChild{StopHow::Drain});
  channel_->flush();
  int got = 0;
  char buffer[64];
  for (int round = 0; round < 100 && got < 2000; ++round) {
    while (::recv(raw_.get(), buffer, sizeof buffer, MSG_DONTWAIT) > 0) ++got;
    channel_->flush();
  }
  EXPECT_EQ(got, 2000);
  EXPECT_FALSE(channel_->dead());
}

TEST_F(ChannelTest, TooLongAPacketEndsThePeer) {
  const int size = 1 << 20;
  ::setsockopt(raw_.get(), SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  const std::string packet(kMaxPacket + 1, 'x');
  ASSERT_GT(::send(raw_.get(), packet.data(), packet.size(), 0), 0);
  loop_.run();
  EXPECT_EQ(lost_, "message truncated");
  EXPECT_TRUE(packets_.empty());
}

}  // namespace
}  // namespace postern
