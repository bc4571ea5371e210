#include "proxy/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include <utility>

namespace postern {

namespace {

constexpr int kPipeBytes = 256 * 1024;
constexpr size_t kBulkRead = 16 * 1024;  // a read of this size counts towards bulk
constexpr int kReadsPerTurn = 8;         // then other sessions have their turn
constexpr int kTlsReadsPerTurn = 64;     // a TLS read gives one record

uint32_t seconds_of(Instant t) {
  return static_cast<uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(t.time_since_epoch()).count());
}

}  // namespace

std::unique_ptr<RelayPool::Pipe> RelayPool::borrow_pipe() {
  if (in_use_ >= kMaxPipes) return nullptr;
  if (!idle_.empty()) {
    auto pipe = std::move(idle_.back());
    idle_.pop_back();
    ++in_use_;
    return pipe;
  }
  int ends[2];
  if (::pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) return nullptr;
  ::fcntl(ends[1], F_SETPIPE_SZ, kPipeBytes);  // fewer bytes are as good, only slower
  ++in_use_;
  return std::make_unique<Pipe>(Pipe{Fd(ends[0]), Fd(ends[1])});
}

void RelayPool::give_back(std::unique_ptr<Pipe> pipe) {
  --in_use_;
  if (pipe && idle_.size() < kMaxPipes / 4) idle_.push_back(std::move(pipe));
}

Relay::Relay(Loop& loop, RelayPool& pool, Owner& owner, Stream front, Stream back)
    : loop_(loop), pool_(pool), owner_(owner) {
  sides_[kFront].stream = std::move(front);
  sides_[kBack].stream = std::move(back);
}

void Relay::start(std::string_view to_back, std::string_view to_front) {
  stopped_ = false;
  last_activity_ = seconds_of(loop_.now());
  for (Side side : {kFront, kBack}) {
    const auto callback =
        side == kFront ? [](evutil_socket_t, short what, void* r) { on_ready(*static_cast<Relay*>(r), kFront, what); }
                       : [](evutil_socket_t, short what, void* r) { on_ready(*static_cast<Relay*>(r), kBack, what); };
    sides_[side].watch.start(loop_, sides_[side].stream.fd(), EV_READ, callback, this);
    // TLS may hold bytes already that no readiness will announce.
    if (sides_[side].stream.has_pending()) sides_[side].watch.trigger(EV_READ);
  }
  // What cannot be written now fails again when the loop tells so: the owner is never called from here.
  for (const auto& [to, data] : {std::pair{kBack, to_back}, std::pair{kFront, to_front}}) {
    if (data.empty()) continue;
    flows_[to].held = std::make_unique<Held>(Held{std::string(data), 0});
    sides_[to].watch.trigger(EV_WRITE);
  }
  update_watches();
}

void Relay::stop() {
  stopped_ = true;
  stall_.reset();
  for (End& s : sides_) s.watch.stop();
  for (Flow& f : flows_)
    if (f.pipe) pool_.give_back(f.in_pipe == 0 ? std::move(f.pipe) : nullptr);
  for (Flow& f : flows_) f.pipe.reset();
}

void Relay::discard(Side side) {
  const auto callback = side == kFront
                            ? [](evutil_socket_t, short, void* r) { static_cast<Relay*>(r)->drop_input(kFront); }
                            : [](evutil_socket_t, short, void* r) { static_cast<Relay*>(r)->drop_input(kBack); };
  sides_[side].watch.start(loop_, sides_[side].stream.fd(), EV_READ, callback, this);
}

void Relay::drop_input(Side side) {
  const IoResult r = sides_[side].stream.read(pool_.buffer(), RelayPool::kBuffer);
  if (r.state == IoState::Done || r.state == IoState::WantRead || r.state == IoState::WantWrite) return;
  stop();
  owner_.discarded_ended();
}

size_t Relay::held(Side side) const {
  const Flow& f = flows_[side];
  return (f.held ? f.held->bytes.size() - f.held->at : 0) + f.in_pipe;
}

void Relay::on_ready(Relay& relay, Side side, short what) {
  if ((what & EV_WRITE) && !relay.drain(side)) return;
  if ((what & EV_READ) && !relay.blocked(other(side)) && !relay.sides_[side].ended) relay.pump(side);
  if (!relay.stopped_) relay.update_watches();
}

// Writes what is held back for `to`; false when the relay ended on the way. Once nothing is left its
// source is read again.
bool Relay::drain(Side to) {
  if (!drain_held(to)) return false;
  if (blocked(to)) return true;
  const Side from = other(to);
  if (sides_[from].ended) {
    end(from, {});
    return false;
  }
  pump(from);
  return !stopped_;
}

bool Relay::drain_held(Side to) {
  Flow& f = flows_[to];
  while (f.in_pipe > 0) {
    const ssize_t n = ::splice(f.pipe->read.get(), nullptr, sides_[to].stream.fd(), nullptr, f.in_pipe,
                               SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (n <= 0) {
      if (n < 0 && errno == EAGAIN) return true;
      end(to, n < 0 && errno != EPIPE && errno != ECONNRESET ? strerror(errno) : "");
      return false;
    }
    f.in_pipe -= static_cast<uint32_t>(n);
    f.written += static_cast<uint64_t>(n);
  }
  while (f.held) {
    const IoResult r = sides_[to].stream.write(std::string_view(f.held->bytes).substr(f.held->at));
    if (r.state == IoState::WantRead || r.state == IoState::WantWrite) return true;
    if (r.state != IoState::Done) {
      end(to, sides_[to].stream.tls_error());
      return false;
    }
    f.held->at += r.bytes;
    f.written += r.bytes;
    if (f.held->at == f.held->bytes.size()) f.held.reset();
  }
  return true;
}

void Relay::pump(Side from) {
  const int turns = sides_[from].stream.has_tls() ? kTlsReadsPerTurn : kReadsPerTurn;
  for (int i = 0; i < turns; ++i) {
    const Pumped p = flows_[other(from)].pipe ? splice_once(from) : pump_once(from);
    if (p != Pumped::More) return;
  }
  if (sides_[from].stream.has_pending()) sides_[from].watch.trigger(EV_READ);
}

Relay::Pumped Relay::pump_once(Side from) {
  const Side to = other(from);
  const IoResult r = sides_[from].stream.read(pool_.buffer(), RelayPool::kBuffer);
  if (r.state == IoState::WantRead || r.state == IoState::WantWrite) return Pumped::Drained;
  if (r.state != IoState::Done) {
    finish_reading(from, r);
    return Pumped::Ended;
  }
  last_activity_ = seconds_of(loop_.now());
  if (!deliver(to, {pool_.buffer(), r.bytes})) return Pumped::Ended;
  Flow& f = flows_[to];
  f.full_reads = r.bytes >= kBulkRead ? static_cast<uint8_t>(f.full_reads < 2 ? f.full_reads + 1 : 2) : uint8_t{0};
  if (f.held) return Pumped::Blocked;
  if (f.full_reads == 2 && may_splice(from)) f.pipe = pool_.borrow_pipe();
  // A short read of a plain socket has emptied it; TLS must be asked until it says so.
  return sides_[from].stream.has_tls() || r.bytes == RelayPool::kBuffer || f.pipe ? Pumped::More : Pumped::Drained;
}

bool Relay::may_splice(Side from) const {
  return !sides_[from].stream.has_tls() && !sides_[other(from)].stream.has_tls();
}

Relay::Pumped Relay::splice_once(Side from) {
  const Side to = other(from);
  Flow& f = flows_[to];
  const ssize_t n = ::splice(sides_[from].stream.fd(), nullptr, f.pipe->write.get(), nullptr, kPipeBytes,
                             SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  if (n < 0 && errno == EAGAIN) {
    leave_bulk(to);
    return Pumped::Drained;
  }
  if (n <= 0) {
    finish_reading(from, {n == 0 || errno == ECONNRESET ? IoState::Closed : IoState::Failed});
    return Pumped::Ended;
  }
  last_activity_ = seconds_of(loop_.now());
  f.in_pipe += static_cast<uint32_t>(n);
  if (!drain_held(to)) return Pumped::Ended;
  if (f.in_pipe > 0) return Pumped::Blocked;
  f.full_reads = static_cast<size_t>(n) >= kBulkRead ? uint8_t{2} : static_cast<uint8_t>(f.full_reads - 1);
  if (f.full_reads > 0) return Pumped::More;
  leave_bulk(to);
  return Pumped::Drained;
}

void Relay::leave_bulk(Side to) {
  flows_[to].full_reads = 0;
  pool_.give_back(std::move(flows_[to].pipe));
}

// Writes `data` as far as `to` takes it and keeps the rest; false when the relay ended.
bool Relay::deliver(Side to, std::string_view data) {
  Flow& f = flows_[to];
  while (!data.empty()) {
    const IoResult r = sides_[to].stream.write(data);
    if (r.state == IoState::WantRead || r.state == IoState::WantWrite) {
      f.held = std::make_unique<Held>(Held{std::string(data), 0});
      return true;
    }
    if (r.state != IoState::Done) {
      end(to, sides_[to].stream.tls_error());
      return false;
    }
    f.written += r.bytes;
    data.remove_prefix(r.bytes);
  }
  return true;
}

// `from` has no more to say: the relay ends once what it said is delivered.
void Relay::finish_reading(Side from, IoResult result) {
  if (result.state == IoState::Closed && blocked(other(from))) {
    sides_[from].ended = true;
    return;
  }
  end(from, result.state == IoState::Closed ? std::string() : sides_[from].stream.tls_error());
}

void Relay::end(Side side, std::string error) {
  if (stopped_) return;
  stop();
  owner_.relay_ended(side, error);
}

void Relay::update_watches() {
  for (Side s : {kFront, kBack}) {
    short what = 0;
    if (!sides_[s].ended && !blocked(other(s))) what |= EV_READ;
    if (blocked(s)) what |= EV_WRITE;
    sides_[s].watch.set(what);
  }
  if (!stall_ && (blocked(kFront) || blocked(kBack))) watch_stall();
}

void Relay::watch_stall() {
  if (!stall_) stall_ = std::make_unique<Stall>();
  stall_->written = {flows_[kFront].written, flows_[kBack].written};
  stall_->timer.start(
      loop_, pool_.last_delivery(), [](void* self) { static_cast<Relay*>(self)->check_stall(); }, this);
}

void Relay::check_stall() {
  for (Side to : {kFront, kBack})
    if (blocked(to) && flows_[to].written == stall_->written[to] && has_gone(other(to))) return end(other(to), {});
  if (blocked(kFront) || blocked(kBack)) return watch_stall();
  stall_.reset();
}

bool Relay::has_gone(Side side) const {
  pollfd p{sides_[side].stream.fd(), POLLRDHUP, 0};
  return sides_[side].ended || (::poll(&p, 1, 0) > 0 && p.revents != 0);
}

}  // namespace postern
