#include "delivery/conversation.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace postern {

namespace {

constexpr size_t kPiece = 16 * 1024;
constexpr int kPiecesPerTurn = 16;  // then others have theirs

// A piece as it is sent; one for the process, since nothing stays in it.
std::string& scratch() {
  static std::string buffer;
  buffer.clear();
  return buffer;
}

}  // namespace

Conversation::Conversation(const DeliveryWorld& world, const DeliveryOptions& options, const DeliveryBackend& backend, ProxyRoute route,
                           BackPlan plan, const Envelope& envelope, Owner& owner)
    : world_(world), options_(options), backend_(backend), envelope_(envelope), route_(std::move(route)), owner_(owner) {
  destination_ = {route_.addresses.front(), route_.port};
  login_ = std::make_unique<ProxyLogin>(world.proxy, backend.side, options.proxy, route_, std::move(plan), *this);
}

Conversation::~Conversation() {
  watch_.stop();
  if (backend_ref_) backend_ref_->session_ended();
  if (phase_ != Phase::Talking || !out_.empty() || sending_) return;
  if (const std::string_view words = back_->farewell(); !words.empty()) world_.farewells.say(std::move(stream_), words);
}

// --- the connection --------------------------------------------------------------------

void Conversation::proxy_accepted(BackendReply reply) {
  phase_ = Phase::Talking;
  destination_ = login_->destination();
  stream_ = login_->take_stream();
  in_ = login_->take_leftover();
  backend_ref_ = login_->take_backend();
  backend_ref_->session_started();
  back_ = backend_.make(reply.capabilities, envelope_);
  watch_.start(
      world_.proxy.loop, stream_.fd(), EV_READ,
      [](evutil_socket_t, short what, void* self) { static_cast<Conversation*>(self)->on_ready(what); }, this);
  login_->let_go();
  world_.proxy.loop.defer([login = std::shared_ptr<ProxyLogin>(std::move(login_))] {});  // it is what calls us
  DeliveryBackOutput out;
  for (const Named& named : std::exchange(early_, {})) back_->add_recipient(named.recipient, named.address, named.forward, out);
  if (!in_.empty() || stream_.has_pending()) watch_.trigger(EV_READ);
  act_on(out);
}

void Conversation::proxy_failed(BackendFailure, std::string log_line) {
  phase_ = Phase::Failed;
  destination_ = login_->destination();
  failure_ = {.kind = OutcomeKind::ProxyFailed, .trouble = ProxyTrouble::Connect, .text = log_line};  // LMTP-50
  world_.proxy.loop.defer([login = std::shared_ptr<ProxyLogin>(std::move(login_))] {});
  owner_.conversation_troubled(LogLevel::Error, log_line);
  for (const Named& named : std::exchange(early_, {})) owner_.settled(named.recipient.number, failure_);
}

void Conversation::fail(ProxyTrouble trouble, const std::string& why) {
  DeliveryBackOutput out;
  back_->fail({.kind = OutcomeKind::ProxyFailed, .trouble = trouble, .text = why}, out);
  act_on(out);
}

void Conversation::lost(IoResult result) {
  const std::string error = result.state == IoState::Failed ? stream_.tls_error() : std::string();
  fail(ProxyTrouble::Lost, "Remote server closed connection" + (error.empty() ? std::string() : ": " + printable(error)));
}

// --- recipients and message --------------------------------------------------------------

void Conversation::add_recipient(const Recipient& recipient, std::string address, ForwardFields forward) {
  if (phase_ == Phase::Connecting) return void(early_.push_back({recipient, std::move(address), std::move(forward)}));
  if (back_ == nullptr) return owner_.settled(recipient.number, failure_);
  DeliveryBackOutput out;
  back_->add_recipient(recipient, address, forward, out);
  act_on(out);
}

void Conversation::send_message(const Mail& mail, Milliseconds timeout) {
  if (back_ == nullptr) return;  // nobody was taken
  mail_.emplace(mail);
  deadline_ = world_.proxy.loop.now() + timeout;
  DeliveryBackOutput out;
  back_->begin_message(mail.size(), out);
  act_on(out);
}

void Conversation::act_on(DeliveryBackOutput& out) {
  using Event = DeliveryBackOutput::Event;
  out_ += out.send;
  if (out.event == Event::SendMessage) sending_.emplace(Sending{*mail_});
  if (out.event == Event::GiveUp) give_up();
  if (phase_ == Phase::Talking) flush();
  update_timer();
  for (auto& [number, outcome] : out.outcomes) owner_.settled(number, std::move(outcome));
}

void Conversation::give_up() {
  phase_ = Phase::Failed;
  sending_.reset();
  out_.clear();
  in_.clear();
  watch_.stop();
  stream_.close();
}

// --- bytes -------------------------------------------------------------------------------

void Conversation::on_ready(short what) {
  if ((what & EV_WRITE) && phase_ == Phase::Talking) {
    flush();
    update_timer();
  }
  if ((what & EV_READ) && phase_ == Phase::Talking) read();
}

void Conversation::read() {
  const IoResult r = stream_.read(world_.proxy.pool.buffer(), RelayPool::kBuffer);
  if (r.state == IoState::Closed || r.state == IoState::Failed) return lost(r);
  if (r.state == IoState::Done) in_.append(world_.proxy.pool.buffer(), r.bytes);
  if (in_.empty()) return;
  DeliveryBackOutput out;
  in_.erase(0, back_->feed(in_, out));
  act_on(out);
  if (phase_ == Phase::Talking && stream_.has_pending()) watch_.trigger(EV_READ);
}

void Conversation::flush() {
  for (int i = 0; i < kPiecesPerTurn; ++i) {
    if (!flush_commands() || phase_ != Phase::Talking) return;
    if (sending_ && sending_->ended) {
      sending_.reset();
      back_->message_sent();
    }
    if (!sending_) return watch_.set(EV_READ);
    if (!flush_piece() || phase_ != Phase::Talking) return;
  }
  watch_.set(EV_READ | EV_WRITE);
}

// False: the kernel takes no more for now.
bool Conversation::flush_commands() {
  while (!out_.empty()) {
    const IoResult r = stream_.write(out_);
    if (r.state == IoState::WantRead || r.state == IoState::WantWrite) return watch_.set(EV_READ | EV_WRITE), false;
    // Its last words may say why; they are read next, and then its end.
    if (r.state != IoState::Done) return out_.clear(), sending_.reset(), watch_.set(EV_READ), false;
    out_.erase(0, r.bytes);
  }
  return true;
}

Result<std::string_view> Conversation::piece_at(const Mail& mail, uint64_t position) {
  if (position < mail.header.size()) return std::string_view(mail.header).substr(static_cast<size_t>(position));
  return mail.spool.read(position - mail.header.size(), world_.proxy.pool.buffer(), kPiece);
}

bool Conversation::flush_piece() {
  const auto piece = piece_at(sending_->mail, sending_->position);
  if (!piece) {
    fail(ProxyTrouble::Other, piece.error());
    return false;
  }
  if (piece->empty()) {
    out_ += back_->finish(sending_->state);
    sending_->ended = true;
    return true;
  }
  std::string& wire = scratch();
  BodyState state = sending_->state;
  back_->encode(*piece, state, wire);
  const IoResult r = stream_.write(std::string_view(wire).substr(sending_->piece_sent));
  if (r.state == IoState::WantRead || r.state == IoState::WantWrite) return watch_.set(EV_READ | EV_WRITE), false;
  if (r.state != IoState::Done) return sending_.reset(), watch_.set(EV_READ), false;
  sending_->piece_sent += r.bytes;
  if (sending_->piece_sent < wire.size()) return true;  // the rest, or the kernel says that it is full
  sending_->position += piece->size();
  sending_->piece_sent = 0;
  sending_->state = state;
  return true;
}

// --- time ----------------------------------------------------------------------------------

void Conversation::update_timer() {
  if (phase_ != Phase::Talking || back_->waiting_for().empty()) return timer_.stop();
  const Milliseconds command = route_.timeout.count() > 0 ? std::min(route_.timeout, options_.command_timeout) : options_.command_timeout;
  const Instant now = world_.proxy.loop.now();
  const Milliseconds wait = mail_ ? std::chrono::ceil<Milliseconds>(deadline_ - now) : command;
  timer_.start(
      world_.proxy.loop, std::max(wait, Milliseconds(0)), [](void* self) { static_cast<Conversation*>(self)->on_timeout(); }, this);
}

void Conversation::on_timeout() {
  if (!mail_) return fail(ProxyTrouble::TimedOut, fmt::format("Timed out while waiting for the reply to {}", back_->waiting_for()));
  DeliveryBackOutput out;
  const std::string text = fmt::format("transaction timed out while waiting for {}", back_->waiting_for());
  owner_.conversation_troubled(LogLevel::Error, text);
  back_->fail({.kind = OutcomeKind::NotAnswering, .text = text}, out);
  act_on(out);
}

}  // namespace postern
