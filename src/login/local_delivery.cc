#include "login/local_delivery.h"

#include <errno.h>
#include <fmt/core.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace postern {

namespace {

constexpr size_t kPiece = 64 * 1024;
constexpr int kPiecesPerTurn = 16;  // then others have theirs

// Programs of a Unix host want its line ends. A message has no other CR than those of its line ends.
void drop_returns(std::string& text) { std::erase(text, '\r'); }

// DECISIONS section 8: what a program's exit status says of the recipient. Everything else is temporary.
struct ExitRow {
  int status;
  OutcomeKind kind;
};
constexpr ExitRow kExits[] = {
    {0, OutcomeKind::Delivered}, {EX_NOUSER, OutcomeKind::UserUnknown}, {EX_NOPERM, OutcomeKind::ProgramRefused}};

OutcomeKind outcome_of(int wait_status) {
  for (const ExitRow& row : kExits)
    if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == row.status) return row.kind;
  return OutcomeKind::ProgramFailed;
}

}  // namespace

LocalDelivery::LocalDelivery(Loop& loop, AuthClient& auth, const SpoolFolder& folder, const Spool& spool,
                             std::string header, UserLookup question, uint32_t recipient, Owner& owner)
    : loop_(loop),
      auth_(auth),
      folder_(folder),
      spool_(spool),
      header_(std::move(header)),
      question_(std::move(question)),
      recipient_(recipient),
      owner_(owner) {}

// A file for him alone: each program reads at its own pace, and gets all of the message or none of it.
void LocalDelivery::start() {
  turn_.start(
      loop_, Milliseconds(0), [](void* self) { static_cast<LocalDelivery*>(self)->copy_some(); }, this);
}

void LocalDelivery::copy_some() {
  if (!file_) {
    auto file = folder_.make_file();
    if (!file) return fail(file.error());
    file_ = std::move(*file);
    drop_returns(header_);
    if (const Status written = write_all(file_.get(), header_); !written) return fail(written.error());
  }
  std::string piece;
  for (int i = 0; i < kPiecesPerTurn; ++i) {
    char buffer[kPiece];
    const auto part = spool_.read(copied_, buffer, sizeof buffer);
    if (!part) return fail(part.error());
    if (part->empty()) return ask();
    piece.assign(*part);
    copied_ += piece.size();
    drop_returns(piece);
    if (const Status written = write_all(file_.get(), piece); !written) return fail(written.error());
  }
  start();
}

void LocalDelivery::ask() { ticket_ = auth_.begin(*this, std::move(question_), std::move(file_)); }

void LocalDelivery::auth_reply(AuthReply reply, Fd program) {
  ticket_.done();
  ticket_ = {};
  if (reply.result == AuthResult::Failed) return finish(OutcomeKind::UserUnknown);
  if (reply.result != AuthResult::Ok || !program) return finish(OutcomeKind::LookupFailed, std::move(reply.reason));
  end_ = std::move(program);
  watch_.start(
      loop_, end_.get(), EV_READ,
      [](evutil_socket_t, short, void* self) { static_cast<LocalDelivery*>(self)->on_end(); }, this);
}

// An end without a word: whoever had to tell it has died. It may have been delivered; nobody says so.
void LocalDelivery::on_end() {
  DeliveryEnd end;
  const ssize_t n = ::read(end_.get(), &end, sizeof end);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  watch_.stop();
  finish(n == sizeof end ? outcome_of(end.wait_status) : OutcomeKind::ProgramFailed);
}

void LocalDelivery::finish(OutcomeKind kind, std::string text) {
  owner_.locally_delivered(recipient_, {.kind = kind, .text = std::move(text)});
}

void LocalDelivery::fail(const std::string& why) {
  owner_.local_trouble(why);
  finish(OutcomeKind::InternalFailure);
}

}  // namespace postern
