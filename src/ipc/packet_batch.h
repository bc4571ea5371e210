// Packets of a SOCK_SEQPACKET socket, several with one system call (PROBES 2), and what the kernel brings with them.
#ifndef POSTERN_IPC_PACKET_BATCH_H
#define POSTERN_IPC_PACKET_BATCH_H

#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/fd.h"

namespace postern {

// How many packets one call sends or receives.
inline constexpr unsigned kPacketsPerCall = 16;

class PacketBatch {
 public:
  // Packets of up to `packet_room` bytes; `control_room` bytes (CMSG_SPACE) for what comes with each. Room costs
  // nothing until packets fill it.
  PacketBatch(size_t packet_room, size_t control_room);
  PacketBatch(const PacketBatch&) = delete;
  PacketBatch& operator=(const PacketBatch&) = delete;

  // Receives without waiting. The number of packets, or -1 with errno; what was here before is gone.
  int receive(int socket);

  // Of packet `i` of the last receive(). No bytes: the other end is closed.
  std::string_view bytes(int i) const { return {room(i), messages_[i].msg_len}; }
  // The packet, or what came with it, was longer than the room.
  bool cut(int i) const { return (messages_[i].msg_hdr.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0; }
  bool bytes_cut(int i) const { return (messages_[i].msg_hdr.msg_flags & MSG_TRUNC) != 0; }
  // The descriptors that came with it; to be taken once, else they stay open.
  std::vector<Fd> take_descriptors(int i) const;
  // The process that sent it, where the socket has SO_PASSCRED; else 0.
  uint32_t sender(int i) const;
  // Forgets the bytes: passwords pass here.
  void wipe(int i);

 private:
  char* room(int i) const { return bytes_.get() + static_cast<size_t>(i) * packet_room_; }

  size_t packet_room_, control_room_;
  std::unique_ptr<char[]> bytes_, control_;
  iovec iov_[kPacketsPerCall];
  mmsghdr messages_[kPacketsPerCall];
};

}  // namespace postern

#endif
