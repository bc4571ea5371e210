#include "login/session.h"

#include <fmt/core.h>

#include "base/log.h"
#include "base/text.h"
#include "login/worker.h"

namespace postern {

Session::Session(Worker& worker, Fd fd, const Endpoint& remote, const Endpoint& local)
    : worker_(worker), side_(worker, *this, std::move(fd), remote, local) {
  history_.connected = worker.loop().now();
  side_.info().ttl = static_cast<uint32_t>(side_.view().settings.number(Key::login_proxy_ttl));
}

void Session::client_begun() {
  deadline_.start(
      worker_.loop(), side_.view().login_timeout, [](void* self) { static_cast<Session*>(self)->on_deadline(); }, this);
}

void Session::client_changed() {
  if (front_) front_->set_facts(side_.facts());
}

// --- greeting ------------------------------------------------------------------

void Session::client_arrived() {
  phase_ = Phase::AwaitingAuth;
  history_.auth_was_ready = false;
  if (worker_.auth().ready()) greet();
}

void Session::auth_ready() {
  if (phase_ == Phase::AwaitingAuth) greet();
}

void Session::greet() {
  history_.auth_was_ready = true;
  phase_ = Phase::Command;
  ConnectionFacts facts = side_.facts();
  if (side_.view().front.wants_stamp) facts.stamp = make_stamp();
  front_ = worker_.views().served().login->make_front(side_.view().front, facts);
  FrontOutput out;
  front_->greet(out);
  perform(out);
  if (phase_ == Phase::Command) side_.read_on();  // he may have spoken before
}

void Session::client_secured() {
  FrontOutput out;
  front_->on_tls(out);
  perform(out);
  process();
  if (phase_ == Phase::Command) side_.read_pending();
}

// --- reading ---------------------------------------------------------------------

void Session::client_readable() {
  // What he says while his login is under way, or before auth is there, waits in the kernel.
  if (phase_ != Phase::Command) return side_.pause();
  if (side_.full()) process();
  if (phase_ != Phase::Command || !side_.read() || side_.input().empty()) return;
  process();
  if (phase_ == Phase::Command) side_.read_pending();
}

void Session::process() {
  size_t taken = 0;
  while (phase_ == Phase::Command && !side_.is_arriving() && taken < side_.input().size()) {
    FrontOutput out;
    const size_t n = front_->feed(side_.input().substr(taken), out);
    taken += n;
    // Nothing that came before TLS counts after it: who sends more behind his wish for it is not served (DECISIONS 1).
    if (taken < side_.input().size() && std::holds_alternative<BeginTls>(out.request))
      out.request = Farewell{"Clear text behind STARTTLS"};
    const bool waits = n == 0 && std::holds_alternative<std::monostate>(out.request);
    perform(out);
    if (waits) break;
  }
  if (!is_over()) side_.take(taken);
}

void Session::perform(FrontOutput& out) {
  for (const std::string& note : out.log_notes) log(LogLevel::Info, "note", note);
  side_.write(out.send);
  if (phase_ == Phase::Ended) return;
  std::visit([this](auto& r) { request(std::move(r)); }, out.request);
}

void Session::request(BeginTls) { side_.secure(); }

void Session::request(AuthBegin begin) {
  phase_ = Phase::Authenticating;
  history_.begin_attempt(worker_.loop().now());
  history_.now_doing = LoginHistory::Now::Authenticating;
  side_.info().mechanism = begin.mechanism;
  ticket_ = worker_.auth().begin(*this, auth_start(std::move(begin)));
}

AuthStart Session::auth_start(AuthBegin begin) const {
  AuthStart start;
  start.mechanism = std::move(begin.mechanism);
  start.initial = std::move(begin.initial);
  start.subject = subject_of(side_.info(), worker_.pid());
  start.subject.attempt = history_.attempts;
  start.subject.tls = side_.tls_facts();
  const MechanismInfo* mechanism = find_mechanism(start.mechanism);
  if (mechanism != nullptr && mechanism->proof) {  // what the others cannot bind is not made
    ChannelBindings bindings = side_.channel_bindings();
    start.subject.tls_unique = std::move(bindings.tls_unique);
    start.subject.tls_exporter = std::move(bindings.tls_exporter);
  }
  start.sasl_service = worker_.views().served().login->sasl_service;
  start.subject.max_userip = static_cast<uint32_t>(side_.view().settings.number(Key::mail_max_userip_connections));
  return start;
}

void Session::request(AuthResponse response) {
  phase_ = Phase::Authenticating;
  history_.now_doing = LoginHistory::Now::Authenticating;
  worker_.auth().respond(ticket_, std::move(response.data));
}

void Session::request(AuthAbort) {
  ticket_ = {};
  phase_ = Phase::Command;
  history_.now_doing = LoginHistory::Now::Idle;
  history_.last = AttemptEnd::Aborted;
}

void Session::request(PolicyRefusal refusal) {
  if (ticket_) ticket_ = {};  // the exchange under way ends with it, and was counted when it began
  else if (refusal.counts_as_attempt) history_.begin_attempt(worker_.loop().now());
  if (!refusal.mechanism.empty()) side_.info().mechanism = refusal.mechanism;
  history_.now_doing = LoginHistory::Now::Idle;
  history_.last = attempt_end_of(refusal);
  if (!side_.view().auth_verbose) return;
  log(LogLevel::Info, "login_failed",
      refusal.mechanism.empty()
          ? fmt::format("Login failed: {}", refusal.reason)
          : fmt::format("Authenticate {} failed: {}", printable(refusal.mechanism, 64), refusal.reason));
}

void Session::request(Farewell farewell) {
  finish(std::string(history_.last == AttemptEnd::TooManyConnections ? history_.limit.words : farewell.reason));
}

// --- speaking and ending -----------------------------------------------------------------

void Session::answer(Answer a) {
  const bool goes_on = a.kind == AnswerKind::Challenge;
  phase_ = Phase::Command;
  if (!goes_on) drop_destination();
  FrontOutput out;
  front_->answer(a, out);
  perform(out);
  if (phase_ == Phase::Command) side_.read_on();
}

void Session::drop_destination() {
  proxy_.reset();
  held_route_.reset();
  place_ = {};
  program_.reset();
  side_.info().mail_pid = 0;
}

void Session::on_deadline() {
  switch (phase_) {
    case Phase::Authenticating:
      return end("Inactivity during authentication", "Disconnected for inactivity during authentication.");
    case Phase::Connecting:
      if (program_) return end("Timeout while finishing login", "Timeout while finishing login.");
      log(LogLevel::Error, "error",
          fmt::format("{}: Logging in timed out (state={})", proxy_prefix(), proxy_ ? proxy_->state_words() : "none"));
      return end("Logging in timed out", "Timeout while finishing login.");
    default:
      if (history_.now_doing == LoginHistory::Now::SaslPending)
        return end("Inactivity during authentication", "Disconnected for inactivity during authentication.");
      return end("Inactivity", "Disconnected for inactivity.");
  }
}

void Session::make_way() { end("Connection queue full", "Connection queue full", Parting::Crowded); }

std::optional<Session::Expendable> Session::expendable() const {
  if (phase_ > Phase::Authenticating) return std::nullopt;
  return Expendable{phase_ == Phase::Authenticating, history_.connected};
}

void Session::shut_down() { end("Shutting down", "Shutting down", Parting::ShuttingDown); }

void Session::end(std::string_view reason, std::string_view goodbye, Parting why) {
  if (is_over()) return;
  if (front_ && !side_.is_arriving() && !goodbye.empty()) {
    FrontOutput out;
    front_->goodbye(goodbye, why, out);
    side_.write_last(out.send);
  }
  finish(std::string(reason));
}

void Session::finish(std::string reason) {
  if (is_over()) return;
  const std::string summary = history_.summary(worker_.loop().now());
  ticket_ = {};
  drop_destination();
  phase_ = Phase::Ended;
  side_.finish();
  deadline_.stop();
  log(LogLevel::Info, "disconnect", fmt::format("Disconnected: {} ({})", reason, summary));
  worker_.bury(*this);
}

void Session::log_with(std::string_view elements, LogLevel level, std::string_view event,
                       std::string_view message) const {
  if (!proxy_) return side_.log_with(elements, level, event, message);
  const std::string host = proxy_->destination().ip.text();
  side_.log_with(elements, level, event, message, {{"host", host}});
}

}  // namespace postern
