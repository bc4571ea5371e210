#include "auth/service_entry.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/text.h"

namespace postern {

namespace {

constexpr Milliseconds kSlowLookup{500};      // AUC-20
constexpr Milliseconds kWarnAgain{3600'000};  // DECISIONS 1: of one user's fields

}  // namespace

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
             [this](const std::string& user) { return warned_.says(user, clock_.now()); }, cache_.get(),
             [this] { return clock_.now(); }},
      attempts_(settings_.penalty_max_waiting),
      delays_(clock.now()),
      alive_(std::make_shared<bool>(true)) {}

AuthService::~AuthService() { *alive_ = false; }

size_t AuthService::flush_cache(std::span<const std::string> masks) {
  return cache_ == nullptr ? 0 : cache_->flush(masks);
}

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
  for (const auto& [id, serial] : peer.requests) {
    attempts_.forget(serial, clock_.now());
    requests_.erase(serial);
  }
  schedule();
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

void AuthService::try_out(std::unique_ptr<AuthRequest> request, std::function<void(Finished)> done) {
  const uint64_t serial = ++next_serial_;
  Entry& entry = requests_[serial];
  entry.serial = serial;
  entry.request = std::move(request);
  entry.tried = std::move(done);
  begin(entry);
}

void AuthService::begin(Entry& entry) {
  const uint64_t serial = entry.serial;
  begin_in_time(serial);
  if (requests_.contains(serial)) watch_timeout(serial);
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
  if (entry->peer != nullptr) entry->peer->requests.erase(entry->request->id());
  requests_.erase(serial);
  attempts_.forget(serial, clock_.now());
  schedule();
}

void AuthService::perform(uint64_t serial, AuthStep step) {
  std::visit([&](auto& s) { ask(serial, s); }, step);
}

void AuthService::ask(uint64_t serial, AskResponse& step) {
  Entry& entry = *find(serial);
  // What would be one more message to a client tells a trial nothing.
  if (entry.peer == nullptr) return perform(serial, entry.request->respond(SecretString()));
  entry.held = AuthChallenge{entry.request->id(), std::move(step.challenge)};
  send_in_time(serial, step.when);
}

void AuthService::ask(uint64_t serial, AskLookup& step) {
  workers_.lookup(std::move(step.what), [this, alive = alive_, serial](WorkerRow row) {
    if (*alive) go_on(serial, [&](AuthRequest& r) { return r.take_row(std::move(row)); });
  });
}

void AuthService::ask(uint64_t serial, AskAsync& step) {
  const AuthRequest& request = *find(serial)->request;
  step.database->lookup({request, request.subject(), step.shown}, [this, alive = alive_, serial](DbRow row) {
    if (*alive) go_on(serial, [&](AuthRequest& r) { return r.take_row(std::move(row)); });
  });
}

void AuthService::ask(uint64_t serial, AskPolicy& step) {
  const auto done = [this, alive = alive_, serial](const PolicyAnswer& answer) {
    if (*alive) go_on(serial, [&](AuthRequest& r) { return r.take_policy(answer); });
  };
  if (policy_server_ != nullptr) return policy_server_->ask(PolicyCommand::Allow, std::move(step.body), done);
  loop_.defer([done] { done({.failed = true, .message = "built without HTTP"}); });
}

void AuthService::ask(uint64_t serial, Tarpit& step) {
  find(serial)->held = InTarpit{};
  delays_.add(serial, clock_.now() + step.time);
  schedule();
}

void AuthService::ask(uint64_t serial, AskVerify& step) {
  workers_.verify(std::move(step.what), [this, alive = alive_, serial](const WorkerVerdict& verdict) {
    if (*alive) go_on(serial, [&](AuthRequest& r) { return r.take_verdict(verdict); });
  });
}

void AuthService::ask(uint64_t serial, AskAddresses& step) {
  const Instant since = clock_.now();
  resolver_.resolve(step.name, step.timeout,
                    [this, alive = alive_, serial, since, name = step.name](const auto& addresses) {
                      if (!*alive) return;
                      const auto took = std::chrono::duration_cast<Milliseconds>(clock_.now() - since);
                      if (addresses && took > kSlowLookup)
                        log_warning(fmt::format("DNS lookup for {} took {} ms", printable(name), took.count()));
                      go_on(serial, [&](AuthRequest& r) { return r.take_addresses(addresses); });
                    });
}

void AuthService::ask(uint64_t serial, Finished& step) {
  Entry& entry = *find(serial);
  if (entry.peer == nullptr) {
    const auto done = std::move(entry.tried);
    forget(serial);
    return done(std::move(step));
  }
  if (std::string report = entry.request->policy_report(step.reply); !report.empty() && policy_server_ != nullptr)
    policy_server_->ask(PolicyCommand::Report, std::move(report), nullptr);
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

void AuthService::send_now(uint64_t serial, Entry& entry, InTarpit) {
  entry.held = std::monostate{};
  perform(serial, entry.request->tarpit_over());
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
  mail_starts_->start(std::move(what), std::move(entry.message),
                      [this, alive = alive_, serial, reply](const MailStarted& started, Fd socket) {
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
    if (entry.peer == nullptr) {
      perform(serial, entry.request->give_up("Authentication server is shutting down"));
      continue;
    }
    if (!entry.replied()) entry.held = entry.request->give_up("Authentication server is shutting down").reply;
    send_held(serial);
  }
}

}  // namespace postern
