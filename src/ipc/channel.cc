#include "ipc/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "ipc/packet_batch.h"

namespace postern {

namespace {

constexpr Milliseconds kSoon{30};                     // send_soon()
constexpr size_t kMaxQueuedBytes = 64 * 1024 * 1024;  // a peer that reads nothing for this long is lost
constexpr size_t kControlBytes = CMSG_SPACE(kMaxDescriptors * sizeof(int));

// Shared by the channels of the process: nothing is kept between two calls.
PacketBatch& shared_batch() {
  static PacketBatch batch(kMaxPacket, kControlBytes);
  return batch;
}

}  // namespace

Result<std::pair<Fd, Fd>> make_channel_pair() {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
    return Error(std::string("socketpair: ") + strerror(errno));
  return std::pair<Fd, Fd>(Fd(pair[0]), Fd(pair[1]));
}

Channel::Channel(Loop& loop, Fd socket, Role self, Role peer, Events events)
    : loop_(loop),
      socket_(std::move(socket)),
      self_(self),
      peer_(peer),
      events_(std::move(events)),
      alive_(std::make_shared<bool>(true)) {
  POSTERN_CHECK(connected(self, peer), "channel is not in the topology");
  watch_.start(
      loop_, socket_.get(), EV_READ,
      [](evutil_socket_t, short what, void* owner) { static_cast<Channel*>(owner)->on_ready(what); }, this);
}

Channel::~Channel() {
  if (!dead_) flush();
  *alive_ = false;
}

void Channel::queue(std::string packet, std::vector<Fd> descriptors) {
  if (dead_) return;
  POSTERN_CHECK(packet.size() <= kMaxPacket && descriptors.size() <= kMaxDescriptors, "message too large");
  queued_bytes_ += packet.size();
  queue_.push_back({std::move(packet), std::move(descriptors)});
  if (queued_bytes_ > kMaxQueuedBytes) die("peer does not read");
}

void Channel::enqueue_soon(std::string packet) {
  queue(std::move(packet), {});
  if (dead_ || flush_pending_ || soon_.running()) return;
  soon_.start(
      loop_, kSoon, [](void* self) { static_cast<Channel*>(self)->flush(); }, this);
}

void Channel::enqueue(std::string packet, std::vector<Fd> descriptors) {
  queue(std::move(packet), std::move(descriptors));
  if (dead_ || flush_pending_) return;
  flush_pending_ = true;
  loop_.defer([this, alive = alive_] {
    if (!*alive) return;
    flush_pending_ = false;
    flush();
  });
}

void Channel::flush() {
  while (!queue_.empty() && !dead_) {
    mmsghdr messages[kPacketsPerCall];
    iovec iov[kPacketsPerCall];
    alignas(cmsghdr) char control[kPacketsPerCall][kControlBytes];
    const auto count = static_cast<unsigned>(std::min<size_t>(queue_.size(), kPacketsPerCall));
    for (unsigned i = 0; i < count; ++i) {
      Packet& p = queue_[i];
      iov[i] = {p.bytes.data(), p.bytes.size()};
      messages[i] = {};
      messages[i].msg_hdr.msg_iov = &iov[i];
      messages[i].msg_hdr.msg_iovlen = 1;
      if (p.descriptors.empty()) continue;
      messages[i].msg_hdr.msg_control = control[i];
      messages[i].msg_hdr.msg_controllen = CMSG_SPACE(p.descriptors.size() * sizeof(int));
      memset(control[i], 0, kControlBytes);
      cmsghdr* c = CMSG_FIRSTHDR(&messages[i].msg_hdr);
      c->cmsg_level = SOL_SOCKET;
      c->cmsg_type = SCM_RIGHTS;
      c->cmsg_len = CMSG_LEN(p.descriptors.size() * sizeof(int));
      for (size_t d = 0; d < p.descriptors.size(); ++d) {
        const int fd = p.descriptors[d].get();
        memcpy(CMSG_DATA(c) + d * sizeof(int), &fd, sizeof fd);
      }
    }
    const int sent = count == 1 ? (::sendmsg(socket_.get(), &messages[0].msg_hdr, MSG_NOSIGNAL) >= 0 ? 1 : -1)
                                : ::sendmmsg(socket_.get(), messages, count, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS) {
        watch_.set(EV_READ | EV_WRITE);
        return;
      }
      if (errno == EINTR) continue;
      return die(strerror(errno));
    }
    for (int i = 0; i < sent; ++i) {
      Packet& p = queue_.front();
      queued_bytes_ -= p.bytes.size();
      secure_zero(p.bytes.data(), p.bytes.size());  // passwords pass here
      queue_.pop_front();
    }
  }
  if (!dead_) watch_.set(EV_READ);
}

void Channel::on_ready(short what) {
  const auto alive = alive_;
  if (what & EV_WRITE) flush();
  if (what & EV_READ)
    while (*alive && !dead_ && receive_batch()) {}
}

// Receives what one call brings; true when there may be more.
bool Channel::receive_batch() {
  PacketBatch& batch = shared_batch();
  const int got = batch.receive(socket_.get());
  if (got < 0) {
    if (errno != EAGAIN && errno != EINTR) die(strerror(errno));
    return false;
  }
  // The callbacks may even destroy this channel: no descriptor is to be left behind then.
  std::vector<Fd> descriptors[kPacketsPerCall];
  for (int i = 0; i < got; ++i) descriptors[i] = batch.take_descriptors(i);
  const auto alive = alive_;
  for (int i = 0; i < got && *alive && !dead_; ++i) {
    if (batch.cut(i)) die("message truncated");
    else if (batch.bytes(i).empty()) die("closed");  // a packet of no bytes is end of file; none is ever sent
    else events_.packet(batch.bytes(i), descriptors[i]);
  }
  for (int i = 0; i < got; ++i) batch.wipe(i);
  return *alive && !dead_ && got == static_cast<int>(kPacketsPerCall);
}

void Channel::die(std::string_view why) {
  if (dead_) return;
  dead_ = true;
  soon_.stop();
  watch_.stop();
  queue_.clear();
  queued_bytes_ = 0;
  if (events_.lost)
    loop_.defer([this, alive = alive_, text = std::string(why)] {
      if (*alive) events_.lost(text);
    });
}

}  // namespace postern
