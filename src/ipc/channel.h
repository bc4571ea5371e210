// One end of a SOCK_SEQPACKET pair between two processes: one message is one packet, descriptors travel
// with it. Sends never block: what the kernel does not take waits in a bounded queue; many are sent and
// received with one system call (PROBES 2).
#ifndef POSTERN_IPC_CHANNEL_H
#define POSTERN_IPC_CHANNEL_H

#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/fd.h"
#include "base/result.h"
#include "base/wire.h"
#include "event/loop.h"
#include "ipc/messages.h"

namespace postern {

// Longest packet; a message above it is a bug of the sender.
inline constexpr size_t kMaxPacket = 128 * 1024;
inline constexpr size_t kMaxDescriptors = 4;  // per message

// Decodes a packet as M: checks number, size, trailing bytes.
template <Message M>
Result<M> decode_message(std::string_view packet) {
  M m;
  if (packet.empty() || static_cast<uint8_t>(packet[0]) != Messages::number_of<M>())
    return Error("not " + std::string(M::kName));
  Reader r(packet.substr(1));
  r.get(m);
  if (!r.ok()) return Error(std::string(M::kName) + ": short or malformed");
  if (!r.at_end()) return Error(std::string(M::kName) + ": trailing bytes");
  return m;
}

template <Message M>
void encode_message(const M& message, std::string& out) {
  out.push_back(static_cast<char>(Messages::number_of<M>()));
  Writer(out).put(message);
}

// Who is at both ends and what to do with what arrives.
class Channel {
 public:
  struct Events {
    // A packet, not yet decoded, and its descriptors (take the ones you keep).
    std::function<void(std::string_view packet, std::span<Fd> descriptors)> packet;
    // The other end is gone or sent something that breaks the rules; `why` says it. Called once; the
    // channel is dead and may be destroyed by a deferred call.
    std::function<void(std::string_view why)> lost;
  };

  // Takes the socket; `self` and `peer` must be an edge of the topology.
  Channel(Loop& loop, Fd socket, Role self, Role peer, Events events);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // Queues `message` for this turn's end; descriptors are duplicated by the kernel and closed here after sending.
  // Messages on a dead channel are dropped.
  template <Message M>
  void send(const M& message, std::vector<Fd> descriptors = {}) {
    std::string packet;
    encode_message(message, packet);
    check_encoded<M>(packet);
    enqueue(std::move(packet), std::move(descriptors));
  }

  // The same for news that nobody waits for: sent together, a few hundredths of a second later.
  template <Message M>
  void send_soon(const M& message) {
    std::string packet;
    encode_message(message, packet);
    send_encoded_soon<M>(std::move(packet));
  }

  // The same for messages that their sender keeps as packets.
  template <Message M>
  void send_encoded(std::string packet) {
    check_encoded<M>(packet);
    enqueue(std::move(packet), {});
  }
  template <Message M>
  void send_encoded_soon(std::string packet) {
    check_encoded<M>(packet);
    enqueue_soon(std::move(packet));
  }

  // Sends what is queued, as far as the kernel takes it. Called by itself at the end of a turn.
  void flush();
  bool dead() const { return dead_; }
  Role peer() const { return peer_; }
  int fd() const { return socket_.get(); }

  // Whether a message of this direction may go from `from` to `to`.
  static constexpr bool allowed(Direction d, Role from, Role to) {
    if (!connected(from, to)) return false;
    if (d.any_child) return d.from == Role::Master ? from == Role::Master : to == Role::Master;
    return d.from == from && d.to == to;
  }

 private:
  struct Packet {
    std::string bytes;
    std::vector<Fd> descriptors;
  };
  template <Message M>
  void check_encoded(std::string_view packet) const {
    POSTERN_CHECK(allowed(M::kDirection, self_, peer_), M::kName);
    POSTERN_CHECK(!packet.empty() && static_cast<uint8_t>(packet[0]) == Messages::number_of<M>(), M::kName);
  }
  void enqueue(std::string packet, std::vector<Fd> descriptors);
  void enqueue_soon(std::string packet);
  void queue(std::string packet, std::vector<Fd> descriptors);
  void on_ready(short what);
  bool receive_batch();
  void die(std::string_view why);

  Loop& loop_;
  Fd socket_;
  Role self_, peer_;
  Events events_;
  Watch watch_;
  std::deque<Packet> queue_;
  size_t queued_bytes_ = 0;
  bool flush_pending_ = false;
  Timer soon_;
  bool dead_ = false;
  std::shared_ptr<bool> alive_;  // false once destroyed; for deferred flushes and callbacks
};

// Calls handler.on(const M&) or handler.on(const M&, span<Fd>) for the message in `packet`, when M may come
// from `from` to `to` and the handler has such an overload. Otherwise an Error that says why.
template <class Handler>
Status dispatch(std::string_view packet, std::span<Fd> descriptors, Role from, Role to, Handler& handler) {
  if (packet.empty()) return Error("empty message");
  Status status;
  const bool known = Messages::with_type(static_cast<uint8_t>(packet[0]), [&]<class M>() {
    if constexpr (
        requires(const M& m) { handler.on(m); } || requires(const M& m) { handler.on(m, descriptors); }) {
      if (!Channel::allowed(M::kDirection, from, to)) {
        status = Error(std::string(M::kName) + " from " + std::string(name_of(from)) + " is not allowed");
        return;
      }
      auto message = decode_message<M>(packet);
      if (!message) {
        status = Error(message.error());
        return;
      }
      if constexpr (requires(const M& m) { handler.on(m, descriptors); }) handler.on(*message, descriptors);
      else handler.on(*message);
    } else {
      status = Error(std::string(M::kName) + " is not expected here");
    }
  });
  if (!known) return Error("unknown message number");
  return status;
}

// A connected SOCK_SEQPACKET pair, close-on-exec and non-blocking.
Result<std::pair<Fd, Fd>> make_channel_pair();

}  // namespace postern

#endif
