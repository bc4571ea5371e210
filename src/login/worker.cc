#include "login/worker.h"

#include <errno.h>
#include <fmt/core.h>
#include <string.h>
#include <unistd.h>

#include <unordered_set>

#include "base/log.h"
#include "net/socket.h"

namespace postern {

namespace {
constexpr int kAcceptsPerTurn = 8;        // then the sessions have their turn
constexpr Milliseconds kAuthGrace{5000};  // beyond auth_request_timeout, with which auth answers itself
}  // namespace

Worker::Worker(Loop& loop, const ChildBoot& boot, Views& views, std::function<void()> on_load)
    : loop_(loop),
      boot_(boot),
      views_(views),
      on_load_(std::move(on_load)),
      auth_(loop, boot.configuration.settings.time(Key::login_auth_slow_notice),
            boot.configuration.settings.time(Key::login_auth_connect_timeout),
            boot.configuration.settings.time(Key::auth_request_timeout) + kAuthGrace),
      state_(
          loop, [this] { report_again(); }, [this](const std::vector<uint64_t>& ids) { kick(ids); }),
      pool_(boot.configuration.settings.time(Key::login_proxy_last_delivery)),
      pid_(static_cast<uint32_t>(::getpid())),
      backends_(loop),
      slots_(static_cast<uint32_t>(boot.service.client_limit), static_cast<uint32_t>(boot.service.service_count)),
      farewells_(loop) {
  state_.serve(*this);
  auth_.on_ready([this] {
    sessions_.for_each([](Session& s) { s.auth_ready(); });
    deliveries_.for_each([](DeliverySession& s) { s.auth_ready(); });
  });
}

Worker::~Worker() {
  relays_.for_each([this](RelaySession& r) { relays_.remove(r); });
  sessions_.for_each([this](Session& s) { sessions_.remove(s); });
  deliveries_.for_each([this](DeliverySession& s) { deliveries_.remove(s); });
}

void Worker::listen() {
  for (const BootListener& listener : boot_.listeners) {
    doors_.push_back(std::make_unique<Door>());
    doors_.back()->worker = this;
    doors_.back()->listener = &listener;
    doors_.back()->watch.start(
        loop_, listener.fd, 0,
        [](evutil_socket_t, short, void* door) {
          auto& d = *static_cast<Door*>(door);
          d.worker->accept_some(d);
        },
        doors_.back().get());
  }
  update_doors();
}

void Worker::update_doors() {
  const bool crowded = !slots_.retired() && loop_.now() < crowded_until_;
  const short what = !draining_ && (slots_.available() > 0 || crowded) ? EV_READ : 0;
  for (auto& door : doors_) door->watch.set(what);
}

void Worker::accept_some(Door& door) {
  for (int i = 0; i < kAcceptsPerTurn && has_room(); ++i) {
    int error = 0;
    auto accepted = accept_one(door.listener->fd, error);
    if (!accepted) {
      // Another worker was faster, or the client has gone: nothing to do. No descriptors left is worth a word.
      if (error == EMFILE || error == ENFILE) log_error(std::string("accept() failed: ") + strerror(error));
      break;
    }
    if (slots_.available() == 0) most_expendable()->make_way();
    adopt(std::move(accepted->fd), *door.listener, accepted->remote);
  }
  if (slots_.available() == 0) update_doors();
}

// A place is free, or can be made so.
bool Worker::has_room() {
  if (slots_.available() > 0) return true;
  if (loop_.now() >= crowded_until_ || slots_.retired()) return false;
  if (most_expendable() != nullptr) return true;
  crowded_until_ = {};  // everybody here is logged in
  return false;
}

Session* Worker::most_expendable() {
  Session* found = nullptr;
  std::optional<Session::Expendable> best;
  sessions_.for_each([&](Session& s) {
    const auto e = s.expendable();
    if (!e || (best && *best <= *e)) return;
    best = e;
    found = &s;
  });
  return found;
}

void Worker::make_room_for(Milliseconds time) {
  crowded_until_ = loop_.now() + time;
  update_doors();
}

void Worker::adopt(Fd fd, const BootListener& listener, const Endpoint& remote) {
  slots_.taken();
  Endpoint local = listener.local;
  if (local.ip.is_any() || local.ip.is_none()) local = local_endpoint(fd.get());
  if (views_.served().delivery != nullptr)
    deliveries_.add(std::make_unique<DeliverySession>(*this, std::move(fd), remote, local)).start(listener);
  else sessions_.add(std::make_unique<Session>(*this, std::move(fd), remote, local)).start(listener);
  if (slots_.available() == 0) update_doors();
  on_load_();
}

void Worker::start_relay(std::unique_ptr<RelaySession> session, SessionStarted told, std::string_view to_back,
                         std::string_view to_front) {
  // The one connection of this process has its answer: auth must not hold a descriptor for as long as it lasts.
  if (boot_.one_shot) auth_.disconnect();
  if (on_relay_) on_relay_();
  if (told.id != 0) limited_.emplace(told.id, session.get());
  session->keep_record(state_.started(std::move(told)));
  relays_.add(std::move(session)).start(to_back, to_front);
}

// An order of an operator: a walk over all sessions is fine, and they need no index of their own.
void Worker::kick(const std::vector<uint64_t>& ids) {
  const std::unordered_set<uint64_t> wanted(ids.begin(), ids.end());
  relays_.for_each([&](RelaySession& r) {
    if (wanted.count(StateClient::read(r.record()).id) != 0) r.kick(false);
  });
}

void Worker::kick_all(bool one_of_many) {
  relays_.for_each([one_of_many](RelaySession& r) { r.kick(one_of_many); });
}

std::vector<std::pair<uint64_t, uint32_t>> Worker::idle_of(const std::vector<uint64_t>& ids) {
  std::vector<std::pair<uint64_t, uint32_t>> idle;
  for (const uint64_t id : ids)
    if (const auto at = limited_.find(id); at != limited_.end() && !at->second->is_over())
      idle.emplace_back(id, at->second->idle_seconds());
  return idle;
}

// Its client waits for nothing: both sides end at once, as he sees it his server has closed the connection.
void Worker::close_idle(const std::vector<uint64_t>& ids, PlaceAnswer why) {
  const std::string_view limit =
      why == PlaceAnswer::UserLimit ? "proxy_max_user_connections" : "proxy_max_userip_connections";
  for (const uint64_t id : ids)
    if (const auto at = limited_.find(id); at != limited_.end() && !at->second->is_over())
      at->second->close_by_proxy(fmt::format("Idle for longest, closed for a newer session ({})", limit));
}

void Worker::report_again() {
  state_.forget_channel();
  relays_.for_each([this](RelaySession& r) {
    if (!r.is_over()) state_.again(r.record());
  });
}

void Worker::bury(Session& session) {
  const bool lives_on = session.became_relay();
  dead_sessions_.push_back(sessions_.remove(session));
  if (!lives_on) ended();
  sweep_soon();
}

void Worker::bury(DeliverySession& session) {
  dead_deliveries_.push_back(deliveries_.remove(session));
  ended();
  sweep_soon();
}

void Worker::bury(RelaySession& session) {
  if (!limited_.empty()) limited_.erase(StateClient::read(session.record()).id);
  dead_relays_.push_back(relays_.remove(session));
  ended();
  sweep_soon();
}

void Worker::sweep_soon() {
  if (std::exchange(sweep_pending_, true)) return;
  loop_.defer([this] {
    sweep_pending_ = false;
    dead_sessions_.clear();
    dead_deliveries_.clear();
    dead_relays_.clear();
  });
}

void Worker::ended() {
  const bool was_full = slots_.available() == 0;
  slots_.ended();
  if (was_full) update_doors();
  on_load_();
  if (draining_ && slots_.used() == 0 && when_empty_) loop_.defer(std::exchange(when_empty_, nullptr));
}

void Worker::drain(std::function<void()> when_empty) {
  draining_ = true;
  for (auto& door : doors_) {
    door->watch.stop();
    // Nobody may wait in a queue that nobody serves: an orphan's copy would keep the port bound and listening.
    ::close(door->listener->fd);
  }
  doors_.clear();
  when_empty_ = std::move(when_empty);
  if (slots_.used() == 0 && when_empty_) loop_.defer(std::exchange(when_empty_, nullptr));
}

void Worker::shut_down() {
  sessions_.for_each([](Session& s) { s.shut_down(); });
  deliveries_.for_each([](DeliverySession& s) { s.shut_down(); });
  relays_.for_each([](RelaySession& r) { r.close_by_proxy("Process shutting down"); });
}

}  // namespace postern
