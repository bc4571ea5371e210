#include "login/client_side.h"

#include <fmt/core.h>
#include <sys/socket.h>

#include <utility>

#include "base/text.h"
#include "login/worker.h"

namespace postern {

ClientSide::ClientSide(Worker& worker, Owner& owner, Fd fd, const Endpoint& remote, const Endpoint& local)
    : worker_(worker), owner_(owner), stream_(std::move(fd)) {
  info_.protocol = worker.views().served().name();
  info_.remote = info_.real_remote = remote;
  info_.local = info_.real_local = local;
  door_.remote = remote;
  door_.local = local;
  info_.session = make_session_id(SystemClock().wall_microseconds(), remote);
  choose_view();
}

void ClientSide::choose_view() {
  view_ = worker_.views().find(info_.local.ip, info_.remote.ip, info_.local_name);
  update_facts();
}

void ClientSide::update_facts() {
  facts_.tls_active = stream_.has_tls() && phase_ != Phase::Handshake;
  facts_.tls_available = view_->tls_mode != TlsMode::Off && !door_.tls_before;  // IMAP-9
  facts_.trusted = view_->trusts(door_.remote.ip);
  const bool same_host = door_.remote.ip == door_.local.ip;  // both none: a socket in the file system
  facts_.secured = facts_.tls_active || door_.tls_before || facts_.trusted || same_host;  // IMAP-8
  facts_.binds = facts_.tls_active && stream_.can_bind();
  facts_.certificate = info_.cert_valid;
  info_.tls = facts_.tls_active ? "TLS" : facts_.secured ? "secured" : "";
}

void ClientSide::start(const BootListener& listener) {
  door_.tls_first = listener.ssl;
  watch_.start(
      worker_.loop(), stream_.fd(), EV_READ,
      [](evutil_socket_t, short what, void* self) { static_cast<ClientSide*>(self)->on_ready(what); }, this);
  if (listener.haproxy) return await_header();
  arrive();
}

void ClientSide::arrive() {
  owner_.client_begun();
  if (door_.tls_first) return begin_handshake();
  phase_ = Phase::Open;
  update_facts();
  owner_.client_arrived();
}

void ClientSide::take_forwarded(ForwardedFacts facts) {
  if (facts.remote_ip) info_.remote.ip = *facts.remote_ip;
  if (facts.remote_port) info_.remote.port = *facts.remote_port;
  if (facts.local_ip) info_.local.ip = *facts.local_ip;
  if (facts.local_port) info_.local.port = *facts.local_port;
  if (facts.ttl) info_.ttl = *facts.ttl;
  if (facts.session) info_.session = *facts.session;
  if (facts.local_name) info_.local_name = *facts.local_name;
  if (!facts.forward.empty()) info_.forward = std::move(facts.forward);
  if (!facts.client_id.empty()) info_.client_id = std::move(facts.client_id);
}

ProxyHeader ClientSide::told_header() const {
  ProxyHeader header;
  header.forwarded = true;
  header.remote = info_.remote;
  header.local = info_.local;
  header.authority = info_.local_name;
  header.tls = facts_.tls_active || door_.tls_before;
  return header;
}

// --- PROXY header --------------------------------------------------------------

void ClientSide::await_header() {
  phase_ = Phase::Header;
  header_ = std::make_unique<HeaderReader>();
  if (!view_->trusts_balancer(info_.real_remote.ip)) return refuse_header("not in haproxy_trusted_networks");
  patience_.start(
      worker_.loop(), view_->haproxy_timeout,
      [](void* self) { static_cast<ClientSide*>(self)->refuse_header("no header within haproxy_timeout"); }, this);
}

void ClientSide::on_header() {
  switch (header_->read(stream_.fd())) {
    case HeaderReader::State::Waiting: return;
    case HeaderReader::State::Complete: return take_header(std::exchange(header_, nullptr)->header());
    case HeaderReader::State::Broken: return refuse_header(header_->why());
    case HeaderReader::State::Closed: return lose("Connection closed before the PROXY header");
  }
}

void ClientSide::take_header(const ProxyHeader& header) {
  patience_.stop();
  if (header.forwarded) {
    info_.remote = door_.remote = header.remote;
    info_.local = door_.local = header.local;
    door_.tls_before = header.tls;
    info_.local_name = to_lower(std::string_view(header.authority).substr(0, 255));
    info_.session = make_session_id(SystemClock().wall_microseconds(), header.remote);
    choose_view();
  }
  arrive();
}

// Not a word to the peer: whoever he is, he does not speak the protocol of this door.
void ClientSide::refuse_header(std::string_view why) { lose(fmt::format("PROXY header refused: {}", why)); }

// --- TLS ---------------------------------------------------------------------

void ClientSide::secure() {
  starttls_ = true;
  flush_then_tls_ = !out_.empty();
  if (flush_then_tls_) phase_ = Phase::Handshake;
  else begin_handshake();
}

void ClientSide::begin_handshake() {
  phase_ = Phase::Handshake;
  info_.tls = "TLS handshaking";
  in_.clear();  // IMAP-40: nothing that came in the clear counts inside
  in_.shrink_to_fit();
  if (!view_->front_tls) return lose("TLS initialization failed");
  view_->front_tls->set_name_chooser(&ClientSide::choose_context);
  if (const Status s = stream_.begin_tls_server(*view_->front_tls, this); !s) {
    log(LogLevel::Error, "error", "Failed to initialize TLS: " + s.error());
    return lose("TLS initialization failed");
  }
  watch_.set(EV_READ);
}

TlsContext* ClientSide::choose_context(void* self, std::string_view name) {
  auto& side = *static_cast<ClientSide*>(self);
  side.info_.local_name = to_lower(name.substr(0, 255));
  side.choose_view();
  side.info_.tls = "TLS handshaking";
  return side.view_->front_tls.get();
}

void ClientSide::continue_handshake() {
  const IoResult r = stream_.handshake();
  if (r.state == IoState::WantRead) return watch_.set(EV_READ);
  if (r.state == IoState::WantWrite) return watch_.set(EV_WRITE);
  if (r.state != IoState::Done) {
    const std::string error = stream_.tls_error();
    info_.tls = error.empty() ? "TLS handshaking" : "TLS handshaking: " + printable(error);
    return lose("Connection closed" + (error.empty() ? std::string() : ": SSL_accept() failed: " + printable(error)));
  }
  watch_.set(EV_READ);
  phase_ = Phase::Open;
  look_at_certificate();
  update_facts();
  starttls_ ? owner_.client_changed(), owner_.client_secured() : owner_.client_arrived();
}

void ClientSide::look_at_certificate() {
  const ClientCertificate shown = stream_.client_certificate(view_->settings.text(Key::ssl_cert_username_field));
  info_.cert_valid = shown.valid;
  info_.cert_name = shown.name;
  info_.cert_fp = shown.fingerprint;
  info_.cert_key_fp = shown.key_fingerprint;
  if (!shown.why.empty() && view_->auth_verbose)
    log(LogLevel::Info, "note", "Client certificate is not valid: " + shown.why);
}

// --- bytes -----------------------------------------------------------------------

void ClientSide::on_ready(short what) {
  if (phase_ == Phase::Header) return on_header();
  if (phase_ == Phase::Handshake && stream_.has_tls()) return continue_handshake();
  if (what & EV_WRITE) flush();
  if ((what & EV_READ) && phase_ == Phase::Open) owner_.client_readable();
}

// What is left of a full buffer is the start of a long line, which a front bounds itself.
bool ClientSide::read() {
  char* buffer = worker_.buffer();
  const IoResult r = stream_.read(buffer, in_.size() < kReadAhead ? kReadAhead - in_.size() : kReadAhead);
  if (r.state == IoState::Closed || r.state == IoState::Failed) return lost(r), false;
  if (r.state != IoState::Done) return true;
  in_.append(buffer, r.bytes);
  secure_zero(buffer, r.bytes);
  return true;
}

void ClientSide::take(size_t bytes) {
  bytes = std::min(bytes, in_.size());
  secure_zero(in_.data(), bytes);
  in_.erase(0, bytes);
}

void ClientSide::read_pending() {
  if (stream_.has_pending()) watch_.trigger(EV_READ);
}

void ClientSide::read_on() {
  watch_.set(static_cast<short>(watch_.what() | EV_READ));
  if (stream_.has_pending() || !in_.empty()) watch_.trigger(EV_READ);
}

void ClientSide::pause() {
  char byte;
  const ssize_t n = ::recv(stream_.fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) return lost({IoState::Closed});
  watch_.set(static_cast<short>(watch_.what() & ~EV_READ));
}

void ClientSide::write_last(std::string_view bytes) {
  if (bytes.empty() || phase_ == Phase::Over) return;
  out_ += bytes;
  if (phase_ == Phase::Open) flush();
}

void ClientSide::write(std::string_view bytes) {
  write_last(bytes);
  if (out_.size() > view_->max_output && phase_ != Phase::Over) lose("Client output buffer full");
}

void ClientSide::flush() {
  const bool waited = watch_.what() & EV_WRITE;
  while (!out_.empty()) {
    const IoResult r = stream_.write(out_);
    if (r.state == IoState::WantRead || r.state == IoState::WantWrite)
      return watch_.set(static_cast<short>(watch_.what() | EV_WRITE));
    if (r.state != IoState::Done) return lost(r);
    bytes_out_ += r.bytes;
    out_.erase(0, r.bytes);
  }
  if (waited) watch_.set(static_cast<short>(watch_.what() & ~EV_WRITE));
  if (std::exchange(flush_then_tls_, false)) return begin_handshake();
  if (waited) owner_.client_drained();
}

// --- the end ---------------------------------------------------------------------

void ClientSide::lost(IoResult result) {
  const std::string error = result.state == IoState::Failed ? stream_.tls_error() : "";
  lose("Connection closed" + (error.empty() ? "" : ": " + printable(error)));
}

void ClientSide::lose(std::string reason) {
  if (phase_ != Phase::Over) owner_.client_lost(std::move(reason));
}

void ClientSide::finish() {
  if (!out_.empty() && phase_ == Phase::Open) stream_.write(out_);  // as far as it goes
  phase_ = Phase::Over;
  watch_.stop();
  patience_.stop();
}

ClientSide::Remains ClientSide::hand_over() {
  phase_ = Phase::Over;
  return {std::move(stream_), std::move(in_), std::move(out_)};
}

// --- log -------------------------------------------------------------------------

void ClientSide::log(LogLevel level, std::string_view event, std::string_view message,
                     std::vector<std::pair<std::string_view, std::string_view>> facts) const {
  if (level != LogLevel::Debug) log_with(elements(), level, event, message, std::move(facts));
}

void ClientSide::log_with(std::string_view elements, LogLevel level, std::string_view event, std::string_view message,
                          std::vector<std::pair<std::string_view, std::string_view>> facts) const {
  if (!log_sink().wants_facts()) return log_sink().event({level, event, message, elements, {}, view_->log_format()});
  const std::string rip = info_.remote.ip.text(), rport = std::to_string(info_.remote.port),
                    lip = info_.local.ip.text(), lport = std::to_string(info_.local.port);
  LogEvent told{level,
                event,
                message,
                elements,
                {{"user", info_.user},
                 {"method", info_.mechanism},
                 {"rip", rip},
                 {"rport", rport},
                 {"lip", lip},
                 {"lport", lport},
                 {"tls", info_.tls},
                 {"session", info_.session}},
                view_->log_format()};
  told.facts.insert(told.facts.end(), facts.begin(), facts.end());
  log_sink().event(told);
}

}  // namespace postern
