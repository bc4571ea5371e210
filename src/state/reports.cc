#include "state/reports.h"

#include <sys/socket.h>

#include "ipc/packet_batch.h"

namespace postern {

namespace {

constexpr int kBatchesPerTurn = 16;
constexpr size_t kRoom = 8 * 1024;  // a report has three texts of kMaxReportText at most
// More descriptors than one do not fit, and are closed by the kernel.
constexpr size_t kControlRoom = CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(sizeof(int));

}  // namespace

ReportReader::ReportReader(Loop& loop, Fd socket, Report report)
    : socket_(std::move(socket)), report_(std::move(report)) {
  watch_.start(
      loop, socket_.get(), EV_READ,
      [](evutil_socket_t, short, void* self) { static_cast<ReportReader*>(self)->on_readable(); }, this);
}

void ReportReader::on_readable() {
  for (int i = 0; i < kBatchesPerTurn && receive_batch(); ++i) {}
}

bool ReportReader::receive_batch() {
  static PacketBatch batch(kRoom, kControlRoom);
  const int got = batch.receive(socket_.get());
  for (int i = 0; i < got; ++i) {
    if (batch.bytes(i).empty()) {  // the end: master and workers have gone
      watch_.stop();
      return false;
    }
    const uint32_t pid = batch.sender(i);
    std::vector<Fd> descriptors = batch.take_descriptors(i);
    if (pid != 0 && !batch.bytes_cut(i)) report_(batch.bytes(i), pid, descriptors);
  }
  return got == static_cast<int>(kPacketsPerCall);
}

}  // namespace postern
