#include "login/relay_session.h"

#include <fmt/core.h>

#include <random>

#include "base/log.h"
#include "login/worker.h"

namespace postern {

RelaySession::RelaySession(Worker& worker, Stream front, Stream back, BackendRef backend, std::string_view prefix,
                           std::string_view elements, std::string_view log_format, uint64_t in, uint64_t out,
                           Milliseconds spread)
    : worker_(worker),
      relay_(worker.loop(), worker.proxy_world().pool, *this, std::move(front), std::move(back)),
      backend_(std::move(backend)),
      log_format_(log_format),
      in_(in),
      out_(out),
      spread_ms_(static_cast<uint32_t>(spread.count())) {
  texts_.assign({prefix, elements, {}});
}

RelaySession::~RelaySession() {
  if (over_) backend_->cancel(place_);
  relay_.stop();
}

void RelaySession::start(std::string_view to_back, std::string_view to_front) {
  if (backend_) backend_->session_started();
  relay_.start(to_back, to_front);
}

uint32_t RelaySession::idle_seconds() const {
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(worker_.loop().now().time_since_epoch()).count();
  return static_cast<uint32_t>(now) - relay_.last_activity();
}

void RelaySession::relay_ended(Relay::Side side, const std::string& error) {
  const std::string suffix = error.empty() ? "" : ": " + error;
  if (side == Relay::kFront) {
    if (backend_) backend_->session_ended();
    log_end("Disconnected by client" + suffix, Milliseconds(0));
    return worker_.bury(*this);
  }
  relay_.stream(Relay::kBack).abandon();
  end_back((backend_ ? "Disconnected by server" : "Disconnected by mail program") + suffix, &RelaySession::paced_wait);
}

void RelaySession::kick(bool one_of_many) {
  if (over_) return;
  relay_.stop();
  relay_.stream(Relay::kBack).close();
  end_back("Disconnected by proxy: Kicked by admin",
           one_of_many ? &RelaySession::drawn_wait : &RelaySession::paced_wait);
}

// A mail program takes one client with it, nobody else.
Milliseconds RelaySession::paced_wait() {
  return backend_ ? backend_->lost(this, Milliseconds(spread_ms_), place_) : Milliseconds(0);
}

Milliseconds RelaySession::drawn_wait() {
  if (!backend_) return Milliseconds(0);
  static std::mt19937 chance{std::random_device{}()};
  return backend_->let_go(this, Milliseconds(std::uniform_int_distribution<uint32_t>(0, spread_ms_)(chance)), place_);
}

// The backend's side has ended, the client's does in its turn.
void RelaySession::end_back(std::string_view how, Milliseconds (RelaySession::*wait_for)()) {
  const Milliseconds wait = (this->*wait_for)();
  log_end(how, wait);
  if (wait.count() == 0) return worker_.bury(*this);
  over_ = true;
  relay_.discard(Relay::kFront);
}

// When he leaves before his turn, so do we.
void RelaySession::discarded_ended() {
  backend_->cancel(place_);
  close_now();
}

void RelaySession::close_now() {
  over_ = false;
  worker_.bury(*this);
}

void RelaySession::close_by_proxy(std::string_view why) {
  if (over_) return discarded_ended();
  relay_.stop();
  if (backend_) backend_->session_ended();
  log_end(fmt::format("Disconnected by proxy: {}", why), Milliseconds(0));
  worker_.bury(*this);
}

void RelaySession::log_end(std::string_view how, Milliseconds delay) {
  worker_.state().ended(record(), delay.count() > 0);
  const uint64_t in = in_ + relay_.written(Relay::kBack), out = out_ + relay_.written(Relay::kFront);
  const size_t held_out = relay_.held(Relay::kFront), held_in = relay_.held(Relay::kBack);
  std::string message = fmt::format("{}: {} ({}s idle, in={}, out={}", texts_[kPrefix], how, idle_seconds(), in, out);
  if (held_out > 0) message += fmt::format("+{}, client output blocked", held_out);
  if (held_in > 0) message += ", server output blocked";
  message += ')';
  if (delay.count() > 0) message += fmt::format(" - disconnecting client in {}ms", delay.count());
  const LogEvent event{LogLevel::Info, backend_ ? "proxy_end" : "disconnect", message, texts_[kElements], {},
                       log_format_};
  log_sink().wants_facts() ? log_with_facts(event, in, out) : log_sink().event(event);
}

void RelaySession::log_with_facts(LogEvent event, uint64_t in, uint64_t out) const {
  const SessionStarted told = StateClient::read(record());
  const std::string in_text = std::to_string(in), out_text = std::to_string(out), rip = told.remote.ip.text(),
                    lip = told.local.ip.text(), rport = std::to_string(told.remote.port),
                    lport = std::to_string(told.local.port), host = told.backend.ip.text();
  event.facts = {
      {"user", told.user},       {"rip", rip},   {"rport", rport}, {"lip", lip},      {"lport", lport},
      {"session", told.session}, {"host", host}, {"in", in_text},  {"out", out_text},
  };
  log_sink().event(event);
}

}  // namespace postern
