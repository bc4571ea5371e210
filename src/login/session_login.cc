// The half of a session that follows the word of auth: where the user goes, and handing him over.
#include <fmt/core.h>
#include <time.h>

#include "base/log.h"
#include "base/text.h"
#include "login/session.h"
#include "login/worker.h"

namespace postern {

namespace {

constexpr AnswerKind kAnswers[] = {
    AnswerKind::LocalAccepted,        AnswerKind::AuthFailed,          AnswerKind::AuthzFailed,
    AnswerKind::UserDisabled,         AnswerKind::PasswordExpired,     AnswerKind::TempFail,
    AnswerKind::UnsupportedMechanism, AnswerKind::BadEncodingResponse, AnswerKind::TooManyConnections};
static_assert(std::size(kAnswers) == static_cast<size_t>(AuthResult::kCount));

// "Temporary authentication failure. [host:2026-01-31 12:00:00]" (IMAP-81).
std::string temporary_text(const std::string& host) {
  const time_t now = ::time(nullptr);
  tm local{};
  ::localtime_r(&now, &local);
  char stamp[32];
  ::strftime(stamp, sizeof stamp, "%Y-%m-%d %H:%M:%S", &local);
  return fmt::format("Temporary authentication failure. [{}:{}]", host, stamp);
}

}  // namespace

// --- auth --------------------------------------------------------------------------

void Session::auth_challenge(std::string challenge) {
  phase_ = Phase::Command;
  history_.now_doing = LoginHistory::Now::SaslPending;
  answer({.kind = AnswerKind::Challenge, .text = std::move(challenge)});
}

void Session::auth_slow() {
  FrontOutput out;
  front_->notice("Waiting for authentication process to respond..", out);
  perform(out);
}

void Session::auth_reply(AuthReply reply, Fd program) {
  ticket_.done();
  ticket_ = {};
  if (program && reply.mail_pid != 0)
    program_.reset(
        new Program{{worker_.loop(), *worker_.views().served().login, std::move(program), reply.mail_pid, *this}});
  if (!reply.user.empty()) side_.info().user = reply.user;
  side_.info().master_user = reply.master_user;
  history_.last = attempt_end_of(reply.result);
  history_.now_doing = LoginHistory::Now::Idle;
  if (reply.result == AuthResult::Ok) {
    ++history_.successes;
    decided_ = worker_.loop().now();
    return route(std::move(reply));
  }
  if (reply.result == AuthResult::Unavailable) return temporary_failure();
  history_.limit.value = static_cast<uint32_t>(side_.view().settings.number(Key::mail_max_userip_connections));
  answer({.kind = kAnswers[static_cast<size_t>(reply.result)], .text = std::move(reply.reason)});
}

void Session::temporary_failure(AnswerKind kind) {
  history_.last = AttemptEnd::TempFail;
  answer({.kind = kind, .text = temporary_text(side_.view().front.hostname)});
}

void Session::route(AuthReply reply) {
  auto where = route_from(std::move(reply), *worker_.views().served().login, side_.info().mechanism);
  if (!where) {
    log(LogLevel::Error, "error", proxy_prefix() + ": " + where.error());
    history_.last = AttemptEnd::TempFail;
    return answer({.kind = AnswerKind::TempFail, .text = "Temporary authentication failure."});  // PXI-5
  }
  std::visit([this](auto& r) { go(r); }, *where);
}

void Session::go(RefusedRoute& r) {
  if (r.referral)
    return answer({.kind = AnswerKind::Referral, .text = std::move(r.reason), .referral = std::move(*r.referral)});
  answer({.kind = AnswerKind::LoginDisabled, .text = std::move(r.reason)});
}

// Without a mail program this host cannot serve the user (DECISIONS section 8).
void Session::go(LocalRoute& r) {
  if (program_) {
    program_->route = std::move(r);
    phase_ = Phase::Connecting;
    history_.now_doing = LoginHistory::Now::Finishing;
    side_.info().mail_pid = program_->start.pid();
    return program_->start.start();
  }
  if (r.referral) return answer({.kind = AnswerKind::Referral, .referral = std::move(*r.referral)});
  if (worker_.views().served().relay_host != nullptr) return go_to_relay_host();
  log(LogLevel::Error, "error",
      fmt::format("User {} is to be logged in here (no field proxy), but service.{}.executable is not set",
                  printable(side_.info().user, 80), worker_.views().served().login->mail_service));
  temporary_failure();
}

void Session::go_to_relay_host() {
  const ProxyRoute* relay = worker_.views().relay_host();
  if (relay != nullptr && !relay->addresses.empty()) {
    ProxyRoute route = *relay;
    if (!route.authenticate) route.destuser = side_.info().user;
    return go(route);
  }
  const std::string_view setting = worker_.views().served().relay_setting;
  log(LogLevel::Error, "error",
      fmt::format("User {} has no field proxy, and {} {}", printable(side_.info().user, 80), setting,
                  relay == nullptr ? "is not set" : "has no address"));
  history_.last = AttemptEnd::TempFail;
  answer({.kind = AnswerKind::BackendUnavailable});
}

void Session::go(ProxyRoute& r) {
  if (has_control(r.destuser) || has_control(r.password.reveal())) {  // PXI-6
    log(LogLevel::Error, "error", proxy_prefix() + ": credentials contain control characters");
    return answer({.kind = AnswerKind::AuthFailed});
  }
  if (!r.mechanism.empty() && !ClientMechanism::make(r.mechanism)) {
    log(LogLevel::Error, "error",
        fmt::format("{}: Unsupported SASL mechanism {}", proxy_prefix(), printable(r.mechanism)));
    return answer({.kind = AnswerKind::BackendUnavailable});
  }
  if (loops_to_itself(r, side_.info().real_local, side_.info().user)) {
    log(LogLevel::Error, "error", proxy_prefix() + ": Proxying loops to itself");
    return answer({.kind = AnswerKind::BackendUnavailable});
  }
  if (side_.info().ttl <= 1) {  // PXI-4
    log(LogLevel::Error, "error",
        proxy_prefix() + ": Aborting due to remote server: TTL reached zero - proxies appear to be looping?");
    return answer({.kind = AnswerKind::BackendMisconfigured});
  }
  if (!is_limited()) return start_proxy(std::move(r));
  phase_ = Phase::Connecting;
  history_.now_doing = LoginHistory::Now::Finishing;
  place_ = worker_.state().reserve(*this, wished_place());
  if (!place_.was_asked_for()) return start_proxy(std::move(r));
  held_route_ = std::make_unique<ProxyRoute>(std::move(r));
}

// --- limits --------------------------------------------------------------------------

bool Session::is_limited() const {
  const Settings& settings = side_.view().settings;
  return settings.number(Key::proxy_max_user_connections) > 0 || settings.number(Key::proxy_max_userip_connections) > 0;
}

ReserveSession Session::wished_place() const {
  const Settings& settings = side_.view().settings;
  ReserveSession wish;
  wish.user = side_.info().user;
  wish.service = side_.info().protocol;
  wish.address = side_.info().remote.ip;
  wish.max_user = static_cast<uint32_t>(settings.number(Key::proxy_max_user_connections));
  wish.max_userip = static_cast<uint32_t>(settings.number(Key::proxy_max_userip_connections));
  wish.close_idle = settings.text(Key::proxy_user_limit_action) == "close-oldest-idle";
  wish.min_idle = static_cast<uint32_t>(
      std::chrono::ceil<std::chrono::seconds>(settings.time(Key::proxy_user_limit_min_idle)).count());
  return wish;
}

void Session::place_answered(PlaceAnswer answered) {
  if (answered == PlaceAnswer::Granted) return start_proxy(std::move(*std::exchange(held_route_, nullptr)));
  const ReserveSession wish = wished_place();
  history_.limit = answered == PlaceAnswer::UserLimit
                       ? ReachedLimit{"proxy_max_user_connections", "Maximum number of connections from user exceeded",
                                      wish.max_user}
                       : ReachedLimit{"proxy_max_userip_connections",
                                      "Maximum number of connections from user+IP exceeded", wish.max_userip};
  history_.last = AttemptEnd::TooManyConnections;
  history_.now_doing = LoginHistory::Now::Idle;
  answer({.kind = AnswerKind::TooManyConnections, .text = history_.limit.text()});
}

// --- proxy ---------------------------------------------------------------------------

BackPlan Session::plan_for(ProxyRoute& r) const {
  BackPlan plan;
  plan.user = r.destuser;
  plan.master = std::move(r.master);
  plan.password = std::move(r.password);
  plan.mechanism = std::move(r.mechanism);
  plan.tls = r.tls;
  plan.pipelining = r.pipelining;
  plan.trusted = r.trusted;
  plan.hostname = side_.view().front.hostname;
  plan.authenticate = r.authenticate;
  plan.login_name = side_.info().user;
  plan.from_front = front_->told_to_back();
  plan.client_asked_capabilities = front_->asked_capabilities();
  plan.forward.session = side_.info().session;
  plan.forward.remote = side_.info().remote;
  plan.forward.local = side_.info().local;
  plan.forward.ttl = side_.info().ttl - 1;
  plan.forward.client_id = side_.info().client_id;
  plan.forward.local_name = side_.info().local_name;
  plan.forward.forward = std::move(r.forward);
  return plan;
}

void Session::start_proxy(ProxyRoute r) {
  phase_ = Phase::Connecting;
  history_.now_doing = LoginHistory::Now::Finishing;
  if (r.timeout.count() == 0) r.timeout = side_.view().proxy.timeout;
  const std::string master = r.master;
  BackPlan plan = plan_for(r);
  r.master = master;  // for the log
  if (r.haproxy) r.preamble = encode_proxy_header(*r.haproxy, side_.told_header());
  proxy_ = std::make_unique<ProxyLogin>(worker_.proxy_world(), worker_.views().served().login->back, side_.view().proxy,
                                        std::move(r), std::move(plan), *this);
  proxy_->start();
}

std::string Session::proxy_prefix() const {
  const std::string user = printable(side_.info().user, 80);
  if (!proxy_) return fmt::format("proxy({})", user);
  return fmt::format("proxy({},{})", user, proxy_->destination().text());
}

void Session::proxy_forward(std::string_view bytes) { side_.write(bytes); }

void Session::proxy_retry(std::string_view why) {
  log(LogLevel::Debug, "proxy_retry",
      fmt::format("{}: {} - reconnecting (attempt #{})", proxy_prefix(), why, proxy_->reconnects()));
}

void Session::proxy_odd(std::string_view what) {
  log(LogLevel::Error, "error", fmt::format("{}: {}", proxy_prefix(), what));
}

void Session::proxy_failed(BackendFailure failure, std::string log_line) {
  const bool refused = failure.what == FailureClass::Auth || failure.what == FailureClass::AuthTempFail;
  history_.now_doing = LoginHistory::Now::Idle;
  history_.last = refused ? AttemptEnd::ProxyRefused : AttemptEnd::LoggedInElsewhere;
  if (!refused || side_.view().auth_verbose)
    log(refused ? LogLevel::Info : LogLevel::Error, refused ? "proxy_refused" : "error",
        proxy_prefix() + ": " + log_line);
  proxy_.reset();
  answer(answer_for(failure, side_.view().mask_refusals));
}

void Session::proxy_accepted(BackendReply reply) {
  FrontOutput out;
  Answer a{.kind = AnswerKind::BackendAccepted, .backend = std::move(reply)};
  front_->answer(a, out);
  side_.write_last(out.send);
  if (phase_ == Phase::Ended) return;
  const ProxyRoute& r = proxy_->route();
  const Endpoint to = proxy_->destination();
  const auto taken = std::chrono::duration_cast<Milliseconds>(SystemClock().now() - proxy_->started());
  std::string line = fmt::format("{}: Started proxying to <{}>", proxy_prefix(), to.ip.text());
  if (r.host != to.ip.text()) line += fmt::format(" (<{}>)", printable(r.host));
  if (!proxy_->source().is_none()) line += " from " + proxy_->source().text();
  if (r.destuser != side_.info().user) line += " as user " + printable(r.destuser, 80);
  if (!r.master.empty()) line += fmt::format(" (master {})", printable(r.master, 80));
  line += fmt::format(" ({}.{:03} secs", taken.count() / 1000, taken.count() % 1000);
  if (proxy_->reconnects() > 0) line += fmt::format(", {} reconnects", proxy_->reconnects());
  line += ')';
  const std::string elements = side_.elements();
  log_with(elements, LogLevel::Info, "proxy_start", line);
  become_relay(
      {proxy_->take_stream(), proxy_->take_leftover(), proxy_->take_backend(), proxy_prefix(), proxy_->bytes_sent()},
      elements);
}

// --- local login ---------------------------------------------------------------------

// A1: with a referral the answer says that another server is better.
void Session::program_ready(std::string capabilities) {
  LocalRoute& r = program_->route;
  Answer a{.kind = AnswerKind::LocalAccepted, .text = capabilities};
  if (r.referral)
    a = {.kind = AnswerKind::ReferralAccepted,
         .text = std::move(r.reason),
         .backend = {{}, std::move(capabilities)},
         .referral = std::move(*r.referral)};
  FrontOutput out;
  front_->answer(a, out);
  side_.write_last(out.send);
  if (phase_ == Phase::Ended) return;
  const std::string elements = side_.elements();
  log_with(elements, LogLevel::Info, "login", "Login");
  become_relay(
      {program_->start.take_stream(),
       program_->start.take_leftover(),
       {},
       fmt::format("{}({})<{}>", side_.info().protocol, printable(side_.info().user, 80), side_.info().mail_pid)},
      elements);
}

void Session::program_failed(std::string why) {
  log(LogLevel::Error, "error",
      fmt::format("service.{}.executable: {}", worker_.views().served().login->mail_service, why));
  answer({.kind = AnswerKind::InternalFailure});
}

void Session::become_relay(Other other, const std::string& elements) {
  deadline_.stop();
  phase_ = Phase::Relayed;
  ClientSide::Remains client = side_.hand_over();
  const std::string to_front = client.output + other.leftover;
  SessionStarted told = told_to_state();
  told.id = place_.take();
  auto relay = std::make_unique<RelaySession>(
      worker_, std::move(client.stream), std::move(other.stream), std::move(other.backend), std::move(other.prefix),
      elements, side_.view().log_format(), other.sent, side_.bytes_out(), side_.view().disconnect_delay);
  worker_.start_relay(std::move(relay), std::move(told), client.input, to_front);
  side_.let_go();
  if (proxy_) proxy_->let_go();
  worker_.bury(*this);
}

SessionStarted Session::told_to_state() const {
  SessionStarted told;
  told.user = side_.info().user;
  told.service = side_.info().protocol;
  told.session = side_.info().session;
  told.remote = side_.info().remote;
  told.local = side_.info().local;
  if (proxy_) told.backend = proxy_->destination();
  told.mail_pid = side_.info().mail_pid;
  told.since = static_cast<int64_t>(SystemClock().wall_microseconds() / 1000000);
  told.decided = static_cast<uint64_t>(std::chrono::duration_cast<Milliseconds>(decided_.time_since_epoch()).count());
  return told;
}

}  // namespace postern
