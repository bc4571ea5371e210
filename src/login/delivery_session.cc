#include "login/delivery_session.h"

#include <fmt/core.h>

#include <utility>

#include "login/worker.h"

namespace postern {

DeliverySession::DeliverySession(Worker& worker, Fd fd, const Endpoint& remote, const Endpoint& local)
    : worker_(worker), side_(worker, *this, std::move(fd), remote, local), since_(worker.loop().now()) {
  // One more than is told, so that a first proxy tells what the setting says (LMTP-24).
  side_.info().ttl = static_cast<uint32_t>(side_.view().settings.number(Key::login_proxy_ttl)) + 1;
}

void DeliverySession::client_arrived() {
  phase_ = Phase::AwaitingAuth;
  if (worker_.auth().ready()) greet();
}

void DeliverySession::auth_ready() {
  if (phase_ == Phase::AwaitingAuth) greet();
}

void DeliverySession::greet() {
  phase_ = Phase::Open;
  front_ = worker_.views().served().delivery->make_front(side_.view().front, side_.facts());
  DeliveryOutput out;
  front_->greet(out);
  perform(out);
  watch_idle();
  if (phase_ == Phase::Open) side_.read_on();  // he may have spoken before
}

void DeliverySession::client_changed() {
  if (front_) front_->set_facts(side_.facts());
}

void DeliverySession::client_secured() {
  DeliveryOutput out;
  front_->on_tls(out);
  perform(out);
  process();
  if (phase_ == Phase::Open) side_.read_pending();
}

// --- reading -----------------------------------------------------------------------------

void DeliverySession::client_readable() {
  if (phase_ != Phase::Open) return side_.pause();
  if (side_.full()) process();
  if (phase_ != Phase::Open) return;
  if (side_.full()) return side_.pause();  // he waits for an answer, and has said the next things already
  if (!side_.read()) return;
  process();
  if (phase_ == Phase::Open) side_.read_pending();
}

void DeliverySession::process() {
  processing_ = true;
  size_t taken = 0;
  // Replies that the client does not read are the end of what he is asked to say.
  while (phase_ == Phase::Open && !side_.is_arriving() && side_.waiting_output() <= side_.view().max_output &&
         step(taken)) {}
  processing_ = false;
  if (phase_ != Phase::Open) return;
  side_.take(taken);
  watch_idle();
}

// False: there is nothing more to do for now.
bool DeliverySession::step(size_t& taken) {
  DeliveryOutput out;
  const size_t n = front_->feed(side_.input().substr(taken), out);
  taken += n;
  // Nothing that came before TLS counts after it (DECISIONS 1).
  if (taken < side_.input().size() && std::holds_alternative<BeginTls>(out.request))
    out.request = Farewell{"Clear text behind STARTTLS"};
  const bool goes_on = n > 0 || !std::holds_alternative<std::monostate>(out.request);
  perform(out);
  return goes_on;
}

void DeliverySession::perform(DeliveryOutput& out) {
  if (exchange_) exchange_->append(out.body);
  side_.write_last(out.send);
  if (phase_ == Phase::Ended) return;
  std::visit([this](auto& r) { request(std::move(r)); }, out.request);
}

void DeliverySession::request(BeginTransaction begin) {
  drop();
  const std::string& session = side_.info().session;
  std::string id = ++transactions_ == 1 ? session : fmt::format("{}:T{}", session, transactions_);
  exchange_ = std::make_unique<Exchange>(worker_, side_, *front_, std::move(begin.envelope), std::move(id), *this);
}

void DeliverySession::request(AddRecipient add) {
  if (exchange_) exchange_->add(std::move(add.recipient));
}

void DeliverySession::request(EndMessage) {
  if (!exchange_) return;
  ++messages_;
  recipients_ += static_cast<uint32_t>(exchange_->recipients());
  exchange_->deliver();
}

// It may be what calls us.
void DeliverySession::drop() {
  if (!exchange_) return;
  exchange_->abandon();
  worker_.loop().defer([gone = std::shared_ptr<Exchange>(std::move(exchange_))] {});
}

// --- answers -------------------------------------------------------------------------------

void DeliverySession::recipient_answered(uint32_t recipient, const Outcome& outcome) {
  DeliveryOutput out;
  front_->answer_recipient(recipient, outcome, out);
  answer(out);
}

void DeliverySession::delivery_answered(uint32_t recipient, const Outcome& outcome) {
  DeliveryOutput out;
  front_->answer_delivery(recipient, outcome, out);
  answer(out);
}

// The next command may have waited for this answer.
void DeliverySession::answer(DeliveryOutput& out) {
  perform(out);
  if (phase_ != Phase::Open || processing_) return;
  watch_idle();
  side_.read_on();
}

// --- time and end ----------------------------------------------------------------------------

void DeliverySession::watch_idle() {
  if (phase_ == Phase::Open && !front_->waits_for_client()) return idle_.stop();
  idle_.start(
      worker_.loop(), side_.view().delivery.idle_timeout,
      [](void* self) {
        static_cast<DeliverySession*>(self)->end("Inactivity", "Disconnected for inactivity", Parting::Idle);
      },
      this);
}

void DeliverySession::end(std::string_view reason, std::string_view goodbye, Parting why) {
  if (phase_ == Phase::Ended) return;
  if (front_ && !side_.is_arriving()) {
    DeliveryOutput out;
    front_->goodbye(goodbye, why, out);
    side_.write_last(out.send);
  }
  finish(std::string(reason));
}

void DeliverySession::finish(std::string reason) {
  if (phase_ == Phase::Ended) return;
  phase_ = Phase::Ended;
  drop();
  side_.finish();
  idle_.stop();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(worker_.loop().now() - since_).count();
  side_.log(
      LogLevel::Info, "disconnect",
      fmt::format("Disconnected: {} ({} messages, {} recipients, {} secs)", reason, messages_, recipients_, seconds));
  worker_.bury(*this);
}

}  // namespace postern
