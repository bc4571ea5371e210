// An auth-worker's side of its socket to auth: one blocking call at a time.
#ifndef POSTERN_AUTH_WORKER_H
#define POSTERN_AUTH_WORKER_H

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "auth/db.h"
#include "ipc/worker_messages.h"

namespace postern {

// Variables as they came in a WorkerLookup.
class SentVariables final : public Variables {
 public:
  explicit SentVariables(const WorkerLookup& lookup) : lookup_(lookup) {}
  std::string value(Variable variable, std::string_view argument) const override;

 private:
  const WorkerLookup& lookup_;
};

class WorkerService {
 public:
  // The blocking databases by their index in the configuration's lists; others are null.
  struct Databases {
    std::vector<std::unique_ptr<Database>> passdbs, userdbs;
  };
  // The Error names the block.
  static Result<Databases> open_databases(const Configuration& configuration);

  // `service_count` 0: no end; else the answer that reaches it, or wears a database out, says that this worker retires.
  WorkerService(Databases databases, uint64_t service_count)
      : databases_(std::move(databases)), service_count_(service_count) {}

  WorkerRow answer(const WorkerLookup& lookup);
  WorkerVerdict answer(const WorkerVerify& verify);
  bool retired() const { return worn_out_ || (service_count_ > 0 && answered_ >= service_count_); }

 private:
  Database* find(const WorkerLookup& lookup);

  Databases databases_;
  uint64_t service_count_;
  uint64_t answered_ = 0;
  bool worn_out_ = false;  // a database wants a new process
};

}  // namespace postern

#endif
