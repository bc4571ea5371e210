#include "ipc/packet_batch.h"

#include <string.h>

#include "base/secret.h"

namespace postern {

namespace {

// Calls `take(data, bytes)` for what stands in control messages of this type.
template <class Take>
void each_control(const msghdr& header, int type, Take take) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(const_cast<msghdr*>(&header), c))
    if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == type) take(CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
}

}  // namespace

// Not initialised: untouched pages are none.
PacketBatch::PacketBatch(size_t packet_room, size_t control_room)
    : packet_room_(packet_room),
      control_room_(control_room),
      bytes_(new char[kPacketsPerCall * packet_room]),
      control_(new char[kPacketsPerCall * control_room]) {}

int PacketBatch::receive(int socket) {
  for (unsigned i = 0; i < kPacketsPerCall; ++i) {
    iov_[i] = {bytes_.get() + i * packet_room_, packet_room_};
    messages_[i] = {};
    messages_[i].msg_hdr.msg_iov = &iov_[i];
    messages_[i].msg_hdr.msg_iovlen = 1;
    messages_[i].msg_hdr.msg_control = control_.get() + i * control_room_;
    messages_[i].msg_hdr.msg_controllen = control_room_;
  }
  return ::recvmmsg(socket, messages_, kPacketsPerCall, MSG_CMSG_CLOEXEC | MSG_DONTWAIT, nullptr);
}

std::vector<Fd> PacketBatch::take_descriptors(int i) const {
  std::vector<Fd> out;
  each_control(messages_[i].msg_hdr, SCM_RIGHTS, [&](const unsigned char* data, size_t size) {
    for (size_t at = 0; at + sizeof(int) <= size; at += sizeof(int)) {
      int fd = -1;
      memcpy(&fd, data + at, sizeof fd);
      out.emplace_back(fd);
    }
  });
  return out;
}

uint32_t PacketBatch::sender(int i) const {
  ucred who{};
  each_control(messages_[i].msg_hdr, SCM_CREDENTIALS,
               [&](const unsigned char* data, size_t) { memcpy(&who, data, sizeof who); });
  return static_cast<uint32_t>(who.pid);
}

void PacketBatch::wipe(int i) { secure_zero(room(i), messages_[i].msg_len); }

}  // namespace postern
