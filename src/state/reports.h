// What one-shot workers report. They share one socket per service, which outlives them, their parent and us; the
// kernel says with each packet which process sent it, so none can speak for another.
#ifndef POSTERN_STATE_REPORTS_H
#define POSTERN_STATE_REPORTS_H

#include <functional>
#include <span>
#include <string_view>

#include "base/fd.h"
#include "event/loop.h"

namespace postern {

class ReportReader {
 public:
  // A packet, the pid of its sender, and what he sent along: at most one descriptor.
  using Report = std::function<void(std::string_view packet, uint32_t pid, std::span<Fd> descriptors)>;
  // `socket`: the reading end, with SO_PASSCRED.
  ReportReader(Loop& loop, Fd socket, Report report);
  ReportReader(const ReportReader&) = delete;
  ReportReader& operator=(const ReportReader&) = delete;

 private:
  void on_readable();
  bool receive_batch();

  Fd socket_;
  Report report_;
  Watch watch_;
};

}  // namespace postern

#endif
