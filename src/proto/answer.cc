#include "proto/answer.h"

#include <array>

#include "base/rows.h"

namespace postern {

namespace {

// One row per class, in the order of FailureClass. A refusal's own text is shown where it may be; the other
// classes say nothing of the backend to the client.
struct ClassRow {
  FailureClass what;
  bool retryable;
  AnswerKind shown;
};

constexpr std::array<ClassRow, static_cast<size_t>(FailureClass::kCount)> kClasses{{
    {FailureClass::Auth, false, AnswerKind::BackendRefused},
    {FailureClass::AuthTempFail, true, AnswerKind::BackendRefused},
    {FailureClass::Connect, true, AnswerKind::BackendUnavailable},
    {FailureClass::Protocol, true, AnswerKind::BackendUnavailable},
    {FailureClass::Remote, true, AnswerKind::BackendUnavailable},
    {FailureClass::RemoteConfig, false, AnswerKind::BackendMisconfigured},
    {FailureClass::RemoteRefusal, false, AnswerKind::BackendUnavailable},
    {FailureClass::Internal, false, AnswerKind::BackendUnavailable},
    // A certificate that is not valid: the recorded reference says "unavailable" (PXI-52).
    {FailureClass::InternalConfig, false, AnswerKind::BackendUnavailable},
}};

static_assert(rows_stand_in_order(kClasses, &ClassRow::what));

const ClassRow& row_of(FailureClass what) { return kClasses[static_cast<size_t>(what)]; }

}  // namespace

bool is_success(AnswerKind kind) {
  return kind == AnswerKind::BackendAccepted || kind == AnswerKind::LocalAccepted ||
         kind == AnswerKind::ReferralAccepted;
}

bool is_retryable(FailureClass what) { return row_of(what).retryable; }

Answer answer_for(const BackendFailure& failure, bool mask) {
  const AnswerKind kind = row_of(failure.what).shown;
  if (kind != AnswerKind::BackendRefused) return {kind};
  // What cannot be shown must not become a wrong password.
  if (failure.what == FailureClass::AuthTempFail && failure.reply.empty()) return {AnswerKind::BackendUnavailable};
  const bool hidden = failure.what == FailureClass::Auth && mask && !failure.passes_always;
  if (hidden || failure.reply.empty()) return {AnswerKind::AuthFailed};
  return {kind, failure.reply};
}

}  // namespace postern
