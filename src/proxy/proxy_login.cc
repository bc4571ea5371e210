#include "proxy/proxy_login.h"

#include <errno.h>
#include <fmt/core.h>
#include <string.h>
#include <sys/socket.h>

#include <utility>

#include "net/socket.h"

namespace postern {

namespace {

// CONST-15: what must be left of the time beyond the pause for another attempt to make sense.
constexpr Milliseconds kMinimumLeft{100};
// From so many sessions of this process on, with other processes beside it, the kernel's own search for a port may be
// slow.
constexpr size_t kCrowded = 100;
constexpr unsigned kMostOddities = 3;  // told of one login: a backend could fill the log

struct ClassPrefix {
  FailureClass what;
  std::string_view prefix;
};
constexpr ClassPrefix kScriptPrefixes[] = {
    {FailureClass::Auth, "Login failed: "},
    {FailureClass::AuthTempFail, "Login failed: "},
    {FailureClass::Protocol, "Remote server sent invalid input: "},
    {FailureClass::Remote, "Aborting due to remote server: "},
    {FailureClass::RemoteConfig, "Aborting due to remote server: "},
    {FailureClass::RemoteRefusal, "Aborting due to remote server: "},
    {FailureClass::Internal, "Aborting due to internal error: "},
    {FailureClass::InternalConfig, "Aborting due to internal error: "},
};

std::string_view prefix_of(FailureClass what) {
  for (const ClassPrefix& p : kScriptPrefixes)
    if (p.what == what) return p.prefix;
  return "";
}

}  // namespace

ProxyLogin::ProxyLogin(ProxyWorld world, const BackSide& back, const ProxyOptions& options, ProxyRoute route,
                       BackPlan plan, Owner& owner)
    : world_(world),
      back_side_(back),
      options_(options),
      route_(std::move(route)),
      plan_(std::move(plan)),
      owner_(owner) {}

ProxyLogin::~ProxyLogin() { drop_connection(); }

void ProxyLogin::start() {
  first_start_ = world_.loop.now();
  if (route_.source) source_ = *route_.source;
  else source_ = world_.sources.next(route_.addresses.front().family());
  begin_attempt();
}

void ProxyLogin::begin_attempt() {
  attempt_start_ = world_.loop.now();
  const Endpoint to = destination();
  backend_ = world_.backends.get(to);
  const Milliseconds patience = route_.immediate_failure_after.value_or(options_.immediate_failure_after);
  if (!backend_->health().begin_connect(attempt_start_, patience)) {
    backend_ = {};
    return give_up(FailureClass::Connect, "Host is down");  // PXI-54
  }
  phase_ = Phase::Connecting;
  tcp_connected_ = false;
  bytes_sent_ = preamble_sent_ = 0;
  if (!connect_from_any_source(to)) return;
  const Milliseconds limit = route_.timeout.count() > 0 ? route_.timeout : options_.timeout;
  timer_.start(
      world_.loop, limit, [](void* self) { static_cast<ProxyLogin*>(self)->on_timeout(); }, this);
  const auto callback = [](evutil_socket_t, short what, void* self) { static_cast<ProxyLogin*>(self)->on_ready(what); };
  if (route_.tls == TlsUse::Implicit || !route_.preamble.empty()) {
    watch_.start(world_.loop, stream_.fd(), EV_WRITE, callback, this);
  } else {
    // The backend speaks first: readable means connected, or refused. Nothing to ask for writability.
    begin_script();
    watch_.start(world_.loop, stream_.fd(), EV_READ, callback, this);
  }
}

// An empty Fd with EADDRNOTAVAIL: no free port from there.
Fd ProxyLogin::connect_from(const IpAddress& source, const Endpoint& to, int& error) {
  SourceAddresses& sources = world_.sources;
  error = EADDRNOTAVAIL;
  if (sources.is_full(source, to, attempt_start_)) return {};
  const bool crowded = backend_->sessions() >= kCrowded;
  Fd fd = connect_begin(to, source, crowded ? sources.ports().next() : 0, error);
  for (unsigned i = 1; !fd && error == EADDRNOTAVAIL && !sources.ports().empty() && i < PortWindows::kTries; ++i)
    fd = connect_begin(to, source, sources.ports().next(), error);
  if (!fd && error == EADDRNOTAVAIL) sources.mark_full(source, to, attempt_start_);
  return fd;
}

// Why no address of ours would do.
std::string ProxyLogin::no_source() const {
  if (!route_.source) return " (no source address with a free port left, see login_source_ips)";
  return fmt::format(" (source_ip {} is not an address of this machine or has no free port left)",
                     route_.source->text());
}

// A source without a free port towards this backend gives way to the next one, at once; the backend is
// not to blame.
bool ProxyLogin::connect_from_any_source(const Endpoint& to) {
  const size_t tries = route_.source ? 1 : std::max<size_t>(1, world_.sources.count(to.ip.family()));
  int error = 0;
  for (size_t i = 0; i < tries; ++i) {
    Fd fd = connect_from(source_, to, error);
    if (fd) {
      stream_ = Stream(std::move(fd));
      return true;
    }
    if (error != EADDRNOTAVAIL || source_.is_none() || route_.source) break;
    source_ = world_.sources.next(to.ip.family());
  }
  const bool ours = error == EADDRNOTAVAIL || error == EMFILE || error == ENFILE;
  if (ours) {
    backend_->health().abandoned();
    backend_ = {};
  }
  std::string line = fmt::format("connect({}, {}) failed: {}", to.ip.text(), to.port, strerror(error));
  if (error == EADDRNOTAVAIL) line += no_source();
  fail(ours ? FailureClass::Internal : FailureClass::Connect, std::move(line));
  return false;
}

void ProxyLogin::mark_connected() {
  if (tcp_connected_) return;
  tcp_connected_ = true;
  backend_->health().connected(world_.loop.now());
}

void ProxyLogin::on_ready(short what) {
  if (phase_ == Phase::Connecting) {  // where we speak first
    if (const int error = socket_error(stream_.fd()); error != 0) {
      const Endpoint to = destination();
      return fail(FailureClass::Connect,
                  fmt::format("connect({}, {}) failed: {} ({})", to.ip.text(), to.port, strerror(error), place()));
    }
    mark_connected();
    return on_connected();
  }
  if (phase_ == Phase::Handshake) return continue_handshake();
  if (what & EV_WRITE) flush();
  if ((what & EV_READ) && phase_ == Phase::Script) on_readable();
}

void ProxyLogin::on_connected() {
  if (!send_preamble()) return;
  if (route_.tls == TlsUse::Implicit) return begin_tls();
  begin_script();
  watch_.set(EV_READ);
}

// False: not all of it is out, or the attempt has failed.
bool ProxyLogin::send_preamble() {
  while (preamble_sent_ < route_.preamble.size()) {
    const IoResult r = stream_.write(std::string_view(route_.preamble).substr(preamble_sent_));
    if (r.state == IoState::WantWrite) return false;
    if (r.state != IoState::Done) return connection_lost(r), false;
    preamble_sent_ += r.bytes;
  }
  return true;
}

void ProxyLogin::begin_tls() {
  phase_ = Phase::Handshake;
  if (options_.tls == nullptr)
    return fail(FailureClass::InternalConfig, "Aborting due to internal error: " + options_.tls_error);
  const PeerCheck check{route_.verify_certificate && options_.require_valid_cert, route_.host};
  if (const Status s = stream_.begin_tls_client(*options_.tls, check, back_side_.alpn); !s)
    return fail(FailureClass::Internal, "Failed to initialize TLS: " + s.error());
  continue_handshake();
}

void ProxyLogin::continue_handshake() {
  const IoResult r = stream_.handshake();
  if (r.state == IoState::WantRead) return watch_.set(EV_READ);
  if (r.state == IoState::WantWrite) return watch_.set(EV_WRITE);
  if (r.state != IoState::Done) return connection_lost(r);
  watch_.set(EV_READ);
  if (!script_) {
    begin_script();
    if (stream_.has_pending()) watch_.trigger(EV_READ);
    return;
  }
  phase_ = Phase::Script;
  ScriptOutput out;
  script_->on_tls(out);
  act_on(out);
  if (phase_ == Phase::Script && stream_.has_pending()) watch_.trigger(EV_READ);
}

void ProxyLogin::begin_script() {
  phase_ = Phase::Script;
  BackPlan plan = plan_;
  plan.learned.tls_active = stream_.has_tls();
  script_.emplace(back_side_.steps, std::move(plan), options_.limits);
}

void ProxyLogin::on_readable() {
  const int turns = stream_.has_tls() ? 8 : 1;
  for (int i = 0; i < turns && phase_ == Phase::Script; ++i) {
    const IoResult r = stream_.read(world_.pool.buffer(), RelayPool::kBuffer);
    if (r.state == IoState::WantRead || r.state == IoState::WantWrite) return;
    if (r.state != IoState::Done) return connection_lost(r);
    mark_connected();
    feed({world_.pool.buffer(), r.bytes});
  }
  if (phase_ == Phase::Script && stream_.has_pending()) watch_.trigger(EV_READ);
}

void ProxyLogin::feed(std::string_view data) {
  const bool fresh = in_.empty();
  if (!fresh) {
    in_ += data;
    data = in_;
  }
  ScriptOutput out;
  const size_t taken = script_->feed(data, out);
  if (fresh) in_.assign(data.substr(taken));
  else in_.erase(0, taken);
  act_on(out);
}

void ProxyLogin::act_on(ScriptOutput& out) {
  for (const std::string& text : out.log_errors)
    if (oddities_++ < kMostOddities) owner_.proxy_odd(text);
  if (!out.to_client.empty()) owner_.proxy_forward(out.to_client);
  send(out.send);
  if (phase_ != Phase::Script) return;
  using Event = ScriptOutput::Event;
  if (out.event == Event::UpgradeTls) return begin_tls();
  if (out.event == Event::Accepted) return accept(std::move(out.accepted));
  if (out.event == Event::Failed) {
    std::string line(prefix_of(out.failure.what));
    line += out.failure.log_text;
    const FailureClass what = out.failure.what;
    fail(what, std::move(line), std::move(out.failure));
  }
}

void ProxyLogin::send(std::string_view data) {
  if (data.empty()) return;
  out_ += data;
  flush();
}

void ProxyLogin::flush() {
  while (!out_.empty()) {
    const IoResult r = stream_.write(out_);
    if (r.state == IoState::WantRead || r.state == IoState::WantWrite) return watch_.set(EV_READ | EV_WRITE);
    if (r.state != IoState::Done) return connection_lost(r);
    bytes_sent_ += r.bytes;
    secure_zero(out_.data(), r.bytes);
    out_.erase(0, r.bytes);
  }
  watch_.set(EV_READ);
}

void ProxyLogin::accept(BackendReply reply) {
  phase_ = Phase::Done;
  timer_.stop();
  script_.reset();
  plan_.password.wipe();
  route_.password.wipe();
  owner_.proxy_accepted(std::move(reply));
}

void ProxyLogin::connection_lost(IoResult result) {
  const Endpoint to = destination();
  const bool failed = result.state == IoState::Failed;
  if (!tcp_connected_ && failed)
    return fail(FailureClass::Connect,
                fmt::format("connect({}, {}) failed: {} ({})", to.ip.text(), to.port, stream_.tls_error(), place()));
  mark_connected();
  const std::string why = failed ? "Connection closed: " + stream_.tls_error() : "Connection closed";
  const FailureClass what = stream_.certificate_failed() ? FailureClass::InternalConfig : FailureClass::Connect;
  fail(what,
       fmt::format("Disconnected by server: {} (state={}, duration={}s)", why, state_words(), seconds_since_start()));
}

void ProxyLogin::on_timeout() {
  if (phase_ == Phase::Waiting) return begin_attempt();
  if (phase_ == Phase::Done) return finish_failed();
  sockaddr_storage peer;
  socklen_t size = sizeof peer;
  const Endpoint to = destination();
  if (!tcp_connected_ && ::getpeername(stream_.fd(), reinterpret_cast<sockaddr*>(&peer), &size) != 0)
    return fail(FailureClass::Connect,
                fmt::format("connect({}, {}) failed: Connection timed out ({})", to.ip.text(), to.port, place()));
  fail(FailureClass::Connect, fmt::format("Login timed out in state={} ({})", state_words(), place()));
}

// Each failure ends the connection. Then: another address at once, the same ones again after a pause, or
// the end, which the owner hears from the loop.
void ProxyLogin::fail(FailureClass what, std::string line, BackendFailure failure) {
  failure.what = what;
  if (backend_ && !tcp_connected_ && what == FailureClass::Connect) {
    backend_->health().failed(world_.loop.now(), first_start_);
    tcp_connected_ = true;  // accounted for
  }
  drop_connection();
  ++addresses_tried_;
  if (is_retryable(what) && try_again(what)) {
    owner_.proxy_retry(line);
    return;
  }
  if (reconnects_ > 0 && line.find("reconnects") == std::string::npos && what != FailureClass::Auth)
    line += fmt::format(" ({} reconnects)", reconnects_);
  give_up(what, std::move(line), std::move(failure));
}

void ProxyLogin::give_up(FailureClass what, std::string line, BackendFailure failure) {
  failure.what = what;
  outcome_.emplace(std::move(failure), std::move(line));
  phase_ = Phase::Done;
  timer_.start(
      world_.loop, Milliseconds(0), [](void* self) { static_cast<ProxyLogin*>(self)->on_timeout(); }, this);
}

bool ProxyLogin::try_again(FailureClass what) {
  const auto pause = [this](Milliseconds wait) {
    phase_ = Phase::Waiting;
    timer_.start(
        world_.loop, wait, [](void* self) { static_cast<ProxyLogin*>(self)->on_timeout(); }, this);
    return true;
  };
  if (what == FailureClass::Connect && addresses_tried_ < route_.addresses.size()) {
    address_ = (address_ + 1) % route_.addresses.size();
    return pause(Milliseconds(0));
  }
  const Milliseconds limit = route_.timeout.count() > 0 ? route_.timeout : options_.timeout;
  if (reconnects_ >= options_.max_reconnects ||
      limit - (world_.loop.now() - first_start_) <= options_.retry_pause + kMinimumLeft)
    return false;
  ++reconnects_;
  addresses_tried_ = 0;
  address_ = (address_ + 1) % route_.addresses.size();
  return pause(options_.retry_pause);
}

void ProxyLogin::finish_failed() {
  auto [failure, line] = std::move(*outcome_);
  outcome_.reset();
  owner_.proxy_failed(std::move(failure), std::move(line));
}

void ProxyLogin::drop_connection() {
  timer_.stop();
  watch_.stop();
  if (backend_ && !tcp_connected_ && phase_ != Phase::Done && phase_ != Phase::Waiting) backend_->health().abandoned();
  stream_.close();
  backend_ = {};
  script_.reset();
  in_.clear();
  out_.clear();
}

long ProxyLogin::seconds_since_start() const {
  return static_cast<long>(
      std::chrono::duration_cast<std::chrono::seconds>(SystemClock().now() - first_start_).count());
}

std::string ProxyLogin::place() const {
  std::string text = fmt::format("after {} secs", seconds_since_start());
  if (reconnects_ > 0) text += fmt::format(", {} reconnects", reconnects_);
  if (stream_.is_open()) text += ", local=" + local_endpoint(stream_.fd()).text();
  return text;
}

}  // namespace postern
