#include "auth/service.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/text.h"

namespace postern {

namespace {

constexpr Milliseconds kSlowLookup{500};  // AUC-20
constexpr Milliseconds kWarnAgain{3600'000};  // DECISIONS 1: of one user's fields

Milliseconds until(Instant due, Instant now) {
  return due <= now ? Milliseconds(0) : std::chrono::ceil<Milliseconds>(due - now);
}

}  // namespace

struct AuthService::Peer {
  AuthService& service;
  uint64_t serial;
  uint32_t pid;
  std::unique_ptr<Channel> channel{};
  std::unordered_map<uint64_t, uint64_t> requests{};  // the peer's id -> our serial
  bool gone = false;

  void on(const AuthStart& message) { service.start(*this, message); }
  void on(const UserLookup& message, std::span<Fd> descriptors) { service.look_up(*this, message, descriptors); }
  void on(const AuthContinue& message) { service.resume(*this, message); }
  void on(const AuthCancel& message) { service.cancel(*this, message); }
};

struct AuthService::Entry {
  uint64_t serial = 0;
  std::unique_ptr<AuthRequest> request;
  Peer* peer = nullptr;
  Fd message;                                                             // to be delivered
  bool awaits_client = false;                                             // a challenge went out
  std::variant<std::monostate, NotBegun, AuthChallenge, AuthReply> held;  // waits for its time
  std::optional<StartMail> mail;                                          // goes to the master when the reply is due

  bool replied() const { return std::holds_alternative<AuthReply>(held); }
};

AuthService::AuthService(Loop& loop, const Clock& clock, WorkerPool& workers, Resolver& resolver, AuthSettings settings,
                         std::function<void()> idle)
    : loop_(loop),
      clock_(clock),
      workers_(workers),
      resolver_(resolver),
      settings_(std::move(settings)),
      idle_(std::move(idle)),
      random_(std::random_device{}()),
      warned_(kWarnAgain),
      cache_(settings_.cache.size > 0 ? std::make_unique<AuthCache>(settings_.cache) : nullptr),
      world_{[this] { return clock_.wall_microseconds() / 1'000'000; },
             [this](uint64_t n) { return std::uniform_int_distribution<uint64_t>(0, n - 1)(random_); },
             [this](const std::string& user) { return warned_.says(user, clock_.now()); },
             cache_.get(),
             [this] { return clock_.now(); }},
      delays_(clock.now()),
      alive_(std::make_shared<bool>(true)) {}

AuthService::~AuthService() { *alive_ = false; }

size_t AuthService::flush_cache(std::span<const std::string> masks) { return cache_ == nullptr ? 0 : cache_->flush(masks); }

CacheStatus AuthService::cache_status() const { return cache_ == nullptr ? CacheStatus{} : cache_->status(); }

// --- login processes ---------------------------------------------------------------

void AuthService::add_login(Fd socket, uint32_t pid) {
  auto peer = std::make_unique<Peer>(Peer{*this, ++next_serial_, pid});
  Peer* p = peer.get();
  Channel::Events events;
  events.packet = [this, p](std::string_view packet, std::span<Fd> fds) { on_packet(*p, packet, fds); };
  events.lost = [this, p](std::string_view why) { lost(*p, why); };
  p->channel = std::make_unique<Channel>(loop_, std::move(socket), Role::Auth, Role::Login, std::move(events));
  p->channel->send(AuthHello{static_cast<uint32_t>(::getpid())});
  peers_.emplace(p->serial, std::move(peer));
}

void AuthService::on_packet(Peer& peer, std::string_view packet, std::span<Fd> descriptors) {
  if (peer.gone) return;
  const Status status = dispatch(packet, descriptors, Role::Login, Role::Auth, peer);
  if (status) return;
  log_error(fmt::format("login({}): bad message, closing it: {}", peer.pid, printable(status.error())));
  lost(peer, status.error());
}

void AuthService::lost(Peer& peer, std::string_view) {
  if (std::exchange(peer.gone, true)) return;
  for (const auto& [id, serial] : peer.requests) requests_.erase(serial);
  loop_.defer([this, alive = alive_, serial = peer.serial] {
    if (!*alive) return;
    peers_.erase(serial);
    if (peers_.empty()) idle_();
  });
}

// --- requests ------------------------------------------------------------------------

// A place for a new request; null when there is none for it.
AuthService::Entry* AuthService::admit(Peer& peer, uint64_t id) {
  if (peer.requests.contains(id)) {
    log_error(fmt::format("login({}): request id used twice, closing it", peer.pid));
    lost(peer, "request id used twice");
    return nullptr;
  }
  if (peer.requests.size() >= kMaxPerPeer) {
    AuthReply reply;
    reply.id = id;
    peer.channel->send(reply);
    return nullptr;
  }
  const uint64_t serial = ++next_serial_;
  peer.requests.emplace(id, serial);
  Entry& entry = requests_[serial];
  entry.serial = serial;
  entry.peer = &peer;
  return &entry;
}

void AuthService::start(Peer& peer, const AuthStart& message) {
  Entry* entry = admit(peer, message.id);
  if (entry == nullptr) return;
  entry->request = std::make_unique<AuthRequest>(settings_, world_, message);
  begin(*entry);
}

void AuthService::look_up(Peer& peer, const UserLookup& message, std::span<Fd> descriptors) {
  Entry* entry = admit(peer, message.id);
  if (entry == nullptr) return;
  entry->request = std::make_unique<AuthRequest>(settings_, world_, message);
  if (!descriptors.empty()) entry->message = std::move(descriptors[0]);
  begin(*entry);
}

void AuthService::begin(Entry& entry) {
  const uint64_t serial = entry.serial;
  begin_in_time(serial);
  if (requests_.contains(serial)) watch_timeout(serial);
}

bool AuthService::counts(const Entry& entry) const {
  const AuthSubject& subject = entry.request->subject();
  return settings_.penalty && !subject.no_penalty && !subject.remote.ip.is_none();
}

// Before anything is looked at, so that the wait tells nothing (AUTH-41).
void AuthService::begin_in_time(uint64_t serial) {
  Entry& entry = *find(serial);
  const Instant now = clock_.now();
  const Milliseconds wait = counts(entry) ? penalty_.delay(entry.request->subject().remote.ip, now) : Milliseconds(0);
  entry.held = NotBegun{};
  if (wait.count() == 0) return send_held(serial);
  delays_.add(serial, now + wait);
  schedule();
}

void AuthService::resume(Peer& peer, const AuthContinue& message) {
  const auto found = peer.requests.find(message.id);
  Entry* entry = found == peer.requests.end() ? nullptr : find(found->second);
  // The request may have timed out while the client's answer was on its way; that is nobody's fault.
  if (entry == nullptr || !std::exchange(entry->awaits_client, false)) return;
  perform(found->second, entry->request->respond(message.response));
}

void AuthService::cancel(Peer& peer, const AuthCancel& message) {
  const auto found = peer.requests.find(message.id);
  if (found != peer.requests.end()) forget(found->second);
}

AuthService::Entry* AuthService::find(uint64_t serial) {
  const auto found = requests_.find(serial);
  return found == requests_.end() ? nullptr : &found->second;
}

void AuthService::forget(uint64_t serial) {
  Entry* entry = find(serial);
  if (entry == nullptr) return;
  entry->peer->requests.erase(entry->request->id());
  requests_.erase(serial);
}

template <class Next>
void AuthService::go_on(uint64_t serial, Next&& next) {
  Entry* entry = find(serial);
  if (entry == nullptr || entry->replied()) return;
  perform(serial, next(*entry->request));
}

void AuthService::perform(uint64_t serial, AuthStep step) {
  std::visit([&](auto& s) { ask(serial, s); }, step);
}

void AuthService::ask(uint64_t serial, AskResponse& step) {
  Entry& entry = *find(serial);
  entry.held = AuthChallenge{entry.request->id(), std::move(step.challenge)};
  send_in_time(serial, step.when);
}

void AuthService::ask(uint64_t serial, AskLookup& step) {
  workers_.lookup(std::move(step.what), [this, alive = alive_, serial](WorkerRow row) {
    if (*alive) go_on(serial, [&](AuthRequest& r) { return r.take_row(std::move(row)); });
  });
}

void AuthService::ask(uint64_t serial, AskAsync& step) {
  step.database->lookup(*find(serial)->request, step.password, [this, alive = alive_, serial](DbRow row) {
    if (*alive) go_on(serial, [&](AuthRequest& r) { return r.take_row(std::move(row)); });
  });
}

void AuthService::ask(uint64_t serial, AskVerify& step) {
  workers_.verify(std::move(step.what), [this, alive = alive_, serial](const WorkerVerdict& verdict) {
    if (*alive) go_on(serial, [&](AuthRequest& r) { return r.take_verdict(verdict); });
  });
}

void AuthService::ask(uint64_t serial, AskAddresses& step) {
  const Instant since = clock_.now();
  resolver_.resolve(step.name, step.timeout, [this, alive = alive_, serial, since, name = step.name](const auto& addresses) {
    if (!*alive) return;
    const auto took = std::chrono::duration_cast<Milliseconds>(clock_.now() - since);
    if (addresses && took > kSlowLookup) log_warning(fmt::format("DNS lookup for {} took {} ms", printable(name), took.count()));
    go_on(serial, [&](AuthRequest& r) { return r.take_addresses(addresses); });
  });
}

void AuthService::ask(uint64_t serial, Finished& step) {
  Entry& entry = *find(serial);
  if (step.reply.result == AuthResult::Ok && counts(entry)) penalty_.succeeded(entry.request->subject().remote.ip);
  entry.held = std::move(step.reply);
  entry.mail = std::move(step.mail);
  send_in_time(serial, step.when);
}

void AuthService::send_held(uint64_t serial) {
  Entry* entry = find(serial);
  if (entry != nullptr) std::visit([&](auto& what) { send_now(serial, *entry, what); }, entry->held);
}

void AuthService::send_now(uint64_t, Entry&, std::monostate) {}

void AuthService::send_now(uint64_t serial, Entry& entry, NotBegun) {
  entry.held = std::monostate{};
  perform(serial, entry.request->begin());
}

void AuthService::send_now(uint64_t, Entry& entry, AuthChallenge& challenge) {
  entry.awaits_client = true;
  entry.peer->channel->send(challenge);
  entry.held = std::monostate{};
}

void AuthService::send_now(uint64_t serial, Entry& entry, AuthReply& reply) {
  if (entry.mail) return start_mail(serial, entry, std::move(reply));
  entry.peer->channel->send(reply);
  forget(serial);
}

// --- local logins ------------------------------------------------------------------

// The reply waits with the order: an entry that is ended meanwhile ends as one without a reply.
void AuthService::start_mail(uint64_t serial, Entry& entry, AuthReply due) {
  auto reply = std::make_shared<AuthReply>(std::move(due));
  entry.held = std::monostate{};
  StartMail what = *std::exchange(entry.mail, std::nullopt);
  if (mail_starts_ == nullptr) return mail_started(serial, std::move(*reply), {}, Fd());
  mail_starts_->start(std::move(what), std::move(entry.message), [this, alive = alive_, serial, reply](const MailStarted& started, Fd socket) {
    if (*alive) mail_started(serial, std::move(*reply), started, std::move(socket));
  });
}

// A client who has left meanwhile takes his program with him: it reads the end of its input.
void AuthService::mail_started(uint64_t serial, AuthReply reply, const MailStarted& started, Fd socket) {
  Entry* entry = find(serial);
  if (entry == nullptr) return;
  if (started.pid == 0 || !socket) return perform(serial, entry->request->mail_failed(started));
  reply.mail_pid = started.pid;
  std::vector<Fd> descriptors;
  descriptors.push_back(std::move(socket));
  entry->peer->channel->send(reply, std::move(descriptors));
  forget(serial);
}

void AuthService::finish_all() {
  std::vector<uint64_t> all;
  for (const auto& [serial, entry] : requests_) all.push_back(serial);
  for (const uint64_t serial : all) {
    Entry& entry = *find(serial);
    if (!entry.replied()) entry.held = entry.request->give_up("Authentication server is shutting down").reply;
    send_held(serial);
  }
}

// --- time ------------------------------------------------------------------------------

void AuthService::send_in_time(uint64_t serial, const ReplyTime& when) {
  const Instant now = clock_.now();
  if (when.kind == ReplyTime::Kind::Now) return send_held(serial);
  if (when.kind == ReplyTime::Kind::AfterFailure) {
    if (const Entry& entry = *find(serial); counts(entry))
      penalty_.failed(entry.request->subject().remote.ip, entry.request->attempt_mark(), now);
    if (settings_.failure_delay.count() == 0) return send_held(serial);
    delays_.add_batched(serial, now + settings_.failure_delay);
  } else if (when.kind == ReplyTime::Kind::AfterInternalFailure) {
    const Milliseconds delay = settings_.internal_failure_delay;
    if (delay.count() == 0) return send_held(serial);
    const auto extra = static_cast<int64_t>(world_.random_below(static_cast<uint64_t>(delay.count() / 2) + 1));
    delays_.add(serial, now + delay + Milliseconds(extra));
  } else {
    // The second that is named has to be over: early is wrong for a user who is being moved, late is not.
    const auto wall = static_cast<int64_t>(clock_.wall_microseconds() / 1000);
    delays_.add(serial, now + Milliseconds(std::max<int64_t>(0, (static_cast<int64_t>(when.until) + 1) * 1000 - wall)));
  }
  schedule();
}

void AuthService::schedule() {
  const auto next = delays_.next();
  if (!next) return delay_timer_.stop();
  delay_timer_.start(loop_, until(*next, clock_.now()), [](void* self) { static_cast<AuthService*>(self)->release_due(); }, this);
}

void AuthService::release_due() {
  for (const uint64_t serial : delays_.take_due(clock_.now(), world_.random_below)) send_held(serial);
  schedule();
}

void AuthService::watch_timeout(uint64_t serial) {
  timeouts_.emplace_back(clock_.now() + settings_.request_timeout, serial);
  while (!timeouts_.empty() && !requests_.contains(timeouts_.front().second)) timeouts_.pop_front();
  if (!timeout_timer_.running() && !timeouts_.empty())
    timeout_timer_.start(loop_, until(timeouts_.front().first, clock_.now()),
                         [](void* self) { static_cast<AuthService*>(self)->check_timeouts(); }, this);
}

void AuthService::check_timeouts() {
  while (!timeouts_.empty() && timeouts_.front().first <= clock_.now()) {
    const uint64_t serial = timeouts_.front().second;
    timeouts_.pop_front();
    go_on(serial, [](AuthRequest& r) -> AuthStep { return r.give_up("Request timed out"); });
  }
  if (timeouts_.empty()) return;
  timeout_timer_.start(loop_, until(timeouts_.front().first, clock_.now()),
                       [](void* self) { static_cast<AuthService*>(self)->check_timeouts(); }, this);
}

}  // namespace postern
