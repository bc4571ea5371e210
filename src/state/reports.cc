#include "state/reports.h"

#include <string.h>
#include <sys/socket.h>

namespace postern {

namespace {

constexpr unsigned kBatch = 16;
constexpr int kBatchesPerTurn = 16;
constexpr size_t kRoom = 8 * 1024;  // a report has three texts of kMaxReportText at most
// A descriptor that somebody sends along does not fit, and is closed by the kernel.
constexpr size_t kControlRoom = CMSG_SPACE(sizeof(ucred));

struct Arena {
  char bytes[kBatch][kRoom];
  alignas(cmsghdr) char control[kBatch][kControlRoom];
  iovec iov[kBatch];
  mmsghdr messages[kBatch];
};

// 0: the kernel did not say.
uint32_t sender_of(const msghdr& header) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(const_cast<msghdr*>(&header), c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS) continue;
    ucred who;
    memcpy(&who, CMSG_DATA(c), sizeof who);
    return static_cast<uint32_t>(who.pid);
  }
  return 0;
}

}  // namespace

ReportReader::ReportReader(Loop& loop, Fd socket, Report report) : socket_(std::move(socket)), report_(std::move(report)) {
  watch_.start(
      loop, socket_.get(), EV_READ, [](evutil_socket_t, short, void* self) { static_cast<ReportReader*>(self)->on_readable(); }, this);
}

void ReportReader::on_readable() {
  for (int i = 0; i < kBatchesPerTurn && receive_batch(); ++i) {
  }
}

bool ReportReader::receive_batch() {
  static Arena a;
  for (unsigned i = 0; i < kBatch; ++i) {
    a.iov[i] = {a.bytes[i], kRoom};
    a.messages[i] = {};
    a.messages[i].msg_hdr.msg_iov = &a.iov[i];
    a.messages[i].msg_hdr.msg_iovlen = 1;
    a.messages[i].msg_hdr.msg_control = a.control[i];
    a.messages[i].msg_hdr.msg_controllen = kControlRoom;
  }
  const int got = ::recvmmsg(socket_.get(), a.messages, kBatch, MSG_DONTWAIT | MSG_CMSG_CLOEXEC, nullptr);
  for (int i = 0; i < got; ++i) {
    const mmsghdr& m = a.messages[i];
    if (m.msg_len == 0) {  // the end: master and workers have gone
      watch_.stop();
      return false;
    }
    const uint32_t pid = sender_of(m.msg_hdr);
    if (pid != 0 && (m.msg_hdr.msg_flags & MSG_TRUNC) == 0) report_({a.bytes[i], m.msg_len}, pid);
  }
  return got == static_cast<int>(kBatch);
}

}  // namespace postern
