#include "login/session.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/text.h"
#include "login/worker.h"

namespace postern {

namespace {

// Bytes read at a time, and ahead of what the front has taken; more stays with the kernel.
constexpr size_t kReadAhead = 8192;

}  // namespace

Session::Session(Worker& worker, Fd fd, const Endpoint& remote, const Endpoint& local) : worker_(worker), stream_(std::move(fd)) {
  client_.protocol = worker.views().served().protocol.name;
  client_.remote = client_.real_remote = remote;
  client_.local = client_.real_local = local;
  door_.remote = remote;
  door_.local = local;
  client_.session = make_session_id(SystemClock().wall_microseconds(), remote);
  history_.connected = worker.loop().now();
  choose_view();
  client_.ttl = static_cast<uint32_t>(view_->settings.number(Key::login_proxy_ttl));
}

Session::~Session() { watch_.stop(); }

void Session::choose_view() {
  view_ = worker_.views().find(client_.local.ip, client_.remote.ip, client_.local_name);
  update_facts();
}

void Session::update_facts() {
  facts_.tls_active = stream_.has_tls() && phase_ != Phase::Handshake;
  facts_.tls_available = view_->tls_mode != TlsMode::Off && !door_.tls_before;  // IMAP-9
  facts_.trusted = view_->trusts(door_.remote.ip);
  const bool same_host = door_.remote.ip == door_.local.ip;  // both none: a socket in the file system
  facts_.secured = facts_.tls_active || door_.tls_before || facts_.trusted || same_host;  // IMAP-8
  client_.tls = facts_.tls_active ? "TLS" : facts_.secured ? "secured" : "";
  if (front_) front_->set_facts(facts_);
}

void Session::start(const BootListener& listener) {
  door_.tls_first = listener.ssl;
  watch_.start(
      worker_.loop(), stream_.fd(), EV_READ,
      [](evutil_socket_t, short what, void* self) { static_cast<Session*>(self)->on_ready(what); }, this);
  if (listener.haproxy) return await_header();
  begin();
}

void Session::begin() {
  deadline_.start(
      worker_.loop(), view_->login_timeout, [](void* self) { static_cast<Session*>(self)->on_deadline(); }, this);
  if (door_.tls_first) return begin_handshake();
  await_auth();
}

// --- PROXY header --------------------------------------------------------------

void Session::await_header() {
  phase_ = Phase::ProxyHeader;
  header_ = std::make_unique<HeaderReader>();
  if (!view_->trusts_balancer(client_.real_remote.ip)) return refuse_header("not in haproxy_trusted_networks");
  deadline_.start(
      worker_.loop(), view_->haproxy_timeout, [](void* self) { static_cast<Session*>(self)->on_deadline(); }, this);
}

void Session::on_header() {
  switch (header_->read(stream_.fd())) {
    case HeaderReader::State::Waiting: return;
    case HeaderReader::State::Complete: return take_header(std::exchange(header_, nullptr)->header());
    case HeaderReader::State::Broken: return refuse_header(header_->why());
    case HeaderReader::State::Closed: return finish("Connection closed before the PROXY header");
  }
}

void Session::take_header(const ProxyHeader& header) {
  if (header.forwarded) {
    client_.remote = door_.remote = header.remote;
    client_.local = door_.local = header.local;
    door_.tls_before = header.tls;
    client_.local_name = to_lower(std::string_view(header.authority).substr(0, 255));
    client_.session = make_session_id(SystemClock().wall_microseconds(), header.remote);
    choose_view();
  }
  begin();
}

// Not a word to the peer: whoever he is, he does not speak the protocol of this door.
void Session::refuse_header(std::string_view why) {
  finish(fmt::format("PROXY header refused: {}", why));
}

// --- TLS ---------------------------------------------------------------------

void Session::begin_handshake() {
  phase_ = Phase::Handshake;
  client_.tls = "TLS handshaking";
  in_.clear();  // IMAP-40: nothing that came in the clear counts inside
  in_.shrink_to_fit();
  if (!view_->front_tls) return end("TLS initialization failed", "TLS initialization failed.", Parting::Unavailable);
  view_->front_tls->set_name_chooser(&Session::choose_context);
  if (const Status s = stream_.begin_tls_server(*view_->front_tls, this); !s) {
    log(LogLevel::Error, "error", "Failed to initialize TLS: " + s.error());
    return end("TLS initialization failed", "TLS initialization failed.", Parting::Unavailable);
  }
  watch_.set(EV_READ);
}

TlsContext* Session::choose_context(void* self, std::string_view name) {
  auto& session = *static_cast<Session*>(self);
  session.client_.local_name = to_lower(name.substr(0, 255));
  session.choose_view();
  session.client_.tls = "TLS handshaking";
  return session.view_->front_tls.get();
}

void Session::continue_handshake() {
  const IoResult r = stream_.handshake();
  if (r.state == IoState::WantRead) return watch_.set(EV_READ);
  if (r.state == IoState::WantWrite) return watch_.set(EV_WRITE);
  if (r.state != IoState::Done) {
    const std::string error = stream_.tls_error();
    client_.tls = error.empty() ? "TLS handshaking" : "TLS handshaking: " + printable(error);
    return finish("Connection closed" + (error.empty() ? std::string() : ": SSL_accept() failed: " + printable(error)));
  }
  watch_.set(EV_READ);
  phase_ = Phase::Command;
  update_facts();
  if (!starttls_) return await_auth();
  FrontOutput out;
  front_->on_tls(out);
  perform(out);
  process();
  if (phase_ == Phase::Command && stream_.has_pending()) watch_.trigger(EV_READ);
}

// --- greeting ------------------------------------------------------------------

void Session::await_auth() {
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
  update_facts();
  front_ = worker_.views().served().protocol.make_front(view_->front, facts_);
  FrontOutput out;
  front_->greet(out);
  perform(out);
  if (phase_ == Phase::Command && (stream_.has_pending() || !in_.empty())) watch_.trigger(EV_READ);
}

// --- reading ---------------------------------------------------------------------

void Session::on_ready(short what) {
  if (phase_ == Phase::ProxyHeader) return on_header();
  if (phase_ == Phase::Handshake && stream_.has_tls()) return continue_handshake();
  if (what & EV_WRITE) flush();
  if (!(what & EV_READ)) return;
  if (phase_ == Phase::Command)
    on_readable();
  else if (phase_ != Phase::Ended && phase_ != Phase::Relayed)
    pause_or_leave();
}

// What the front leaves of a full buffer is the start of a long line, which it bounds itself.
void Session::on_readable() {
  if (in_.size() >= kReadAhead) process();
  if (phase_ != Phase::Command) return;
  char* buffer = worker_.buffer();
  const IoResult r = stream_.read(buffer, in_.size() < kReadAhead ? kReadAhead - in_.size() : kReadAhead);
  if (r.state == IoState::Closed || r.state == IoState::Failed) return closed_by_client(r);
  if (r.state != IoState::Done && in_.empty()) return;
  if (r.state == IoState::Done) {
    in_.append(buffer, r.bytes);
    secure_zero(buffer, r.bytes);
  }
  process();
  if (phase_ == Phase::Command && stream_.has_pending()) watch_.trigger(EV_READ);
}

// The client speaks, or leaves, while his login is under way: what he says waits in the kernel (PXI-7).
void Session::pause_or_leave() {
  char byte;
  const ssize_t n = ::recv(stream_.fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) return closed_by_client({IoState::Closed});
  watch_.set(static_cast<short>(watch_.what() & ~EV_READ));
}

void Session::process() {
  size_t taken = 0;
  while (phase_ == Phase::Command && taken < in_.size()) {
    FrontOutput out;
    const size_t n = front_->feed(std::string_view(in_).substr(taken), out);
    taken += n;
    // Nothing that came before TLS counts after it: who sends more behind his wish for it is not served (DECISIONS 1).
    if (taken < in_.size() && std::holds_alternative<BeginTls>(out.request)) out.request = Farewell{"Clear text behind STARTTLS"};
    const bool waits = n == 0 && std::holds_alternative<std::monostate>(out.request);
    perform(out);
    if (waits) break;
  }
  if (phase_ == Phase::Ended || phase_ == Phase::Relayed) return;
  secure_zero(in_.data(), std::min(taken, in_.size()));
  in_.erase(0, taken);
}

void Session::perform(FrontOutput& out) {
  for (const std::string& note : out.log_notes) log(LogLevel::Info, "note", note);
  write(out.send);
  if (phase_ == Phase::Ended) return;
  std::visit([this](auto& r) { request(std::move(r)); }, out.request);
}

void Session::request(BeginTls) {
  starttls_ = true;
  if (!out_.empty()) {
    flush_then_tls_ = true;
    phase_ = Phase::Handshake;
    return;
  }
  begin_handshake();
}

void Session::request(AuthBegin begin) {
  phase_ = Phase::Authenticating;
  history_.begin_attempt(worker_.loop().now());
  history_.now_doing = LoginHistory::Now::Authenticating;
  client_.mechanism = begin.mechanism;
  ticket_ = worker_.auth().begin(*this, auth_start(std::move(begin)));
}

AuthStart Session::auth_start(AuthBegin begin) const {
  AuthStart start;
  start.mechanism = std::move(begin.mechanism);
  start.initial = std::move(begin.initial);
  AuthSubject& s = start.subject;
  s.service = client_.protocol;
  s.session = client_.session;
  s.local_name = client_.local_name;
  s.client_id = client_.client_id;
  s.remote = client_.remote;
  s.local = client_.local;
  s.real_remote = client_.real_remote;
  s.real_local = client_.real_local;
  s.secured = client_.tls;
  s.pid = worker_.pid();
  s.forward = client_.forward;
  s.max_userip = static_cast<uint32_t>(view_->settings.number(Key::mail_max_userip_connections));
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

void Session::request(ForwardedFacts facts) {
  if (facts.remote_ip) client_.remote.ip = *facts.remote_ip;
  if (facts.remote_port) client_.remote.port = *facts.remote_port;
  if (facts.local_ip) client_.local.ip = *facts.local_ip;
  if (facts.local_port) client_.local.port = *facts.local_port;
  if (facts.ttl) client_.ttl = *facts.ttl;
  if (facts.session) client_.session = *facts.session;
  if (facts.local_name) client_.local_name = *facts.local_name;
  if (!facts.forward.empty()) client_.forward = std::move(facts.forward);
  if (!facts.client_id.empty()) client_.client_id = std::move(facts.client_id);
}

void Session::request(PolicyRefusal refusal) {
  if (ticket_)
    ticket_ = {};  // the exchange under way ends with it, and was counted when it began
  else if (refusal.counts_as_attempt)
    history_.begin_attempt(worker_.loop().now());
  if (!refusal.mechanism.empty()) client_.mechanism = refusal.mechanism;
  history_.now_doing = LoginHistory::Now::Idle;
  history_.last = attempt_end_of(refusal);
  if (!view_->auth_verbose) return;
  log(LogLevel::Info, "login_failed",
      refusal.mechanism.empty() ? fmt::format("Login failed: {}", refusal.reason)
                                : fmt::format("Authenticate {} failed: {}", printable(refusal.mechanism, 64), refusal.reason));
}

void Session::request(Farewell farewell) { finish(std::string(farewell.reason)); }

// --- speaking and ending -----------------------------------------------------------------

void Session::answer(Answer a) {
  const bool goes_on = a.kind == AnswerKind::Challenge;
  phase_ = Phase::Command;
  if (!goes_on) drop_destination();
  FrontOutput out;
  front_->answer(a, out);
  perform(out);
  if (phase_ != Phase::Command) return;
  watch_.set(static_cast<short>(watch_.what() | EV_READ));
  if (!in_.empty() || stream_.has_pending()) watch_.trigger(EV_READ);
}

void Session::drop_destination() {
  proxy_.reset();
  program_.reset();
  client_.mail_pid = 0;
}

void Session::write(std::string_view bytes) {
  if (bytes.empty()) return;
  out_ += bytes;
  flush();
  if (out_.size() > view_->max_output && phase_ != Phase::Ended) finish("Client output buffer full");
}

void Session::flush() {
  while (!out_.empty()) {
    const IoResult r = stream_.write(out_);
    if (r.state == IoState::WantRead || r.state == IoState::WantWrite)
      return watch_.set(static_cast<short>(watch_.what() | EV_WRITE));
    if (r.state != IoState::Done) return closed_by_client(r);
    bytes_out_ += r.bytes;
    out_.erase(0, r.bytes);
  }
  if (watch_.what() & EV_WRITE) watch_.set(static_cast<short>(watch_.what() & ~EV_WRITE));
  if (std::exchange(flush_then_tls_, false)) begin_handshake();
}

void Session::on_deadline() {
  switch (phase_) {
    case Phase::ProxyHeader: return refuse_header("no header within haproxy_timeout");
    case Phase::Authenticating: return end("Inactivity during authentication", "Disconnected for inactivity during authentication.");
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

void Session::closed_by_client(IoResult result) {
  if (phase_ == Phase::Ended || phase_ == Phase::Relayed) return;
  const std::string error = result.state == IoState::Failed ? stream_.tls_error() : "";
  finish("Connection closed" + (error.empty() ? "" : ": " + printable(error)));
}

void Session::end(std::string_view reason, std::string_view goodbye, Parting why) {
  if (phase_ == Phase::Ended || phase_ == Phase::Relayed) return;
  const bool can_speak = front_ && phase_ > Phase::Handshake;
  if (can_speak && !goodbye.empty()) {
    FrontOutput out;
    front_->goodbye(goodbye, why, out);
    out_ += out.send;
    flush();
  }
  finish(std::string(reason));
}

void Session::finish(std::string reason) {
  if (phase_ == Phase::Ended || phase_ == Phase::Relayed) return;
  const std::string summary = history_.summary(worker_.loop().now());
  ticket_ = {};
  drop_destination();
  if (!out_.empty() && phase_ > Phase::Handshake) stream_.write(out_);  // as far as it goes
  phase_ = Phase::Ended;
  watch_.stop();
  deadline_.stop();
  log(LogLevel::Info, "disconnect", fmt::format("Disconnected: {} ({})", reason, summary));
  worker_.bury(*this);
}

void Session::log(LogLevel level, std::string_view event, std::string_view message) const {
  if (level != LogLevel::Debug) log_with(view_->elements.fill(client_), level, event, message);
}

void Session::log_with(std::string_view elements, LogLevel level, std::string_view event, std::string_view message) const {
  if (!log_sink().wants_facts()) return log_sink().event({level, event, message, elements, {}, view_->log_format()});
  const std::string rip = client_.remote.ip.text(), rport = std::to_string(client_.remote.port), lip = client_.local.ip.text(),
                    lport = std::to_string(client_.local.port), host = proxy_ ? proxy_->destination().ip.text() : std::string();
  LogEvent told{level, event, message, elements,
                {{"user", client_.user}, {"method", client_.mechanism}, {"rip", rip}, {"rport", rport}, {"lip", lip}, {"lport", lport},
                 {"tls", client_.tls}, {"session", client_.session}},
                view_->log_format()};
  if (proxy_) told.facts.emplace_back("host", host);
  log_sink().event(told);
}

}  // namespace postern
