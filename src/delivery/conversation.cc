#include "delivery/conversation.h"

#include <fmt/core.h>

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

Conversation::Conversation(const DeliveryWorld& world, const DeliveryOptions& options, const DeliveryBackend& backend,
                           ProxyRoute route, BackPlan plan, const Envelope& envelope, Owner& owner)
    : world_(world),
      options_(options),
      backend_(backend),
      envelope_(envelope),
      route_(std::move(route)),
      owner_(owner) {
  destination_ = {route_.addresses.front(), route_.port};
  login_ = std::make_unique<ProxyLogin>(world.proxy, backend.side, options.proxy, route_, std::move(plan), *this);
}

Conversation::~Conversation() {
  if (backend_ref_) backend_ref_->session_ended();
  if (phase_ != Phase::Talking || !out_.empty() || sending_) return;
  // Before watch_ stops, so that the kernel need not hear of it.
  if (const auto words = back_->farewell()) world_.farewells.say(std::move(stream_), *words);
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
  for (const Named& named : std::exchange(early_, {}))
    back_->add_recipient(named.recipient, named.address, named.forward, out);
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
  fail(ProxyTrouble::Lost,
       "Remote server closed connection" + (error.empty() ? std::string() : ": " + printable(error)));
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
  for (int i = 0; i < kPiecesPerTurn; ++i)
    if (!flush_once()) return;
  watch_.set(EV_READ | EV_WRITE);
}

// Commands and the next piece of the message in one write. False: there is nothing more to write for now.
bool Conversation::flush_once() {
  if (out_.empty() && !sending_) return watch_.set(EV_READ), false;
  std::string& wire = scratch();
  wire = out_;
  uint64_t next = 0;
  BodyState state;
  if (sending_)
    if (const Status read = append_piece(wire, next, state); !read)
      return fail(ProxyTrouble::Other, read.error()), false;
  const size_t written = write_some(wire), commands = std::min(written, out_.size());
  out_.erase(0, commands);
  if (sending_) sending_->piece_sent += written - commands;
  if (written < wire.size()) return false;
  if (!sending_) return true;
  sending_->position = next;
  sending_->state = state;
  sending_->piece_sent = 0;
  if (next < sending_->mail.size()) return true;
  sending_.reset();
  back_->message_sent();
  return true;
}

// What is not out yet of the piece at hand; `next` and `state` are behind it.
Status Conversation::append_piece(std::string& wire, uint64_t& next, BodyState& state) {
  const Mail& mail = sending_->mail;
  const std::string_view header =
      std::string_view(mail.header).substr(std::min<uint64_t>(sending_->position, mail.header.size()));
  const auto body =
      mail.spool.read(sending_->position + header.size() - mail.header.size(), world_.proxy.pool.buffer(), kPiece);
  if (!body) return Error(body.error());
  state = sending_->state;
  const size_t begin = wire.size();
  back_->encode(header, state, wire);
  back_->encode(*body, state, wire);
  next = sending_->position + header.size() + body->size();
  if (next == mail.size()) back_->finish(state, wire);
  wire.erase(begin, sending_->piece_sent);
  return {};
}

// How much the kernel took. When the other end has gone its last words may say why: they are read next, and then its
// end.
size_t Conversation::write_some(std::string_view wire) {
  size_t written = 0;
  while (written < wire.size()) {
    const IoResult r = stream_.write(wire.substr(written));
    if (r.state == IoState::Done) {
      written += r.bytes;
      continue;
    }
    const bool blocked = r.state == IoState::WantRead || r.state == IoState::WantWrite;
    watch_.set(blocked ? EV_READ | EV_WRITE : EV_READ);
    if (!blocked) {
      out_.clear();
      sending_.reset();
    }
    break;
  }
  return written;
}

// --- time ----------------------------------------------------------------------------------

void Conversation::update_timer() {
  if (phase_ != Phase::Talking || back_->waiting_for().empty()) return timer_.stop();
  const Milliseconds command =
      route_.timeout.count() > 0 ? std::min(route_.timeout, options_.command_timeout) : options_.command_timeout;
  const Instant now = world_.proxy.loop.now();
  const Milliseconds wait = mail_ ? std::chrono::ceil<Milliseconds>(deadline_ - now) : command;
  timer_.start(
      world_.proxy.loop, std::max(wait, Milliseconds(0)),
      [](void* self) { static_cast<Conversation*>(self)->on_timeout(); }, this);
}

void Conversation::on_timeout() {
  if (!mail_)
    return fail(ProxyTrouble::TimedOut,
                fmt::format("Timed out while waiting for the reply to {}", back_->waiting_for()));
  DeliveryBackOutput out;
  const std::string text = fmt::format("transaction timed out while waiting for {}", back_->waiting_for());
  owner_.conversation_troubled(LogLevel::Error, text);
  back_->fail({.kind = OutcomeKind::NotAnswering, .text = text}, out);
  act_on(out);
}

}  // namespace postern
