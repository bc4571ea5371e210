#include "login/state_client.h"

#include <errno.h>
#include <sys/socket.h>

#include <cstring>
#include <utility>

#include "base/log.h"

namespace postern {

namespace {

constexpr Milliseconds kRetry{500}, kTick{1000};

// A packet with one descriptor.
bool send_with(int socket, std::string packet, int descriptor) {
  iovec iov{packet.data(), packet.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &iov;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* c = CMSG_FIRSTHDR(&message);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(c), &descriptor, sizeof descriptor);
  return ::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

}  // namespace

StateClient::StateClient(Loop& loop, std::function<void()> connected,
                         std::function<void(const std::vector<uint64_t>&)> kick)
    : loop_(loop), connected_(std::move(connected)), kick_(std::move(kick)) {}

SessionPlace::~SessionPlace() {
  if (client_ != nullptr) client_->release(id_);
}

void StateClient::connect(Fd socket) {
  take_channel(std::move(socket));
  connected_();
  for (auto& [id, reserved] : reserved_) {
    reserved.wish.held = reserved.waiter == nullptr;
    channel_->send(reserved.wish);
  }
}

void StateClient::take_channel(Fd socket) {
  Channel::Events events;
  events.packet = [this](std::string_view packet, std::span<Fd> descriptors) {
    if (const Status s = dispatch(packet, descriptors, Role::State, Role::Login, *this); !s)
      fatal(kExitSoftware, s.error());
  };
  events.lost = [this](std::string_view) { lost(); };
  channel_ = std::make_unique<Channel>(loop_, std::move(socket), Role::Login, Role::State, std::move(events));
}

// A one-shot worker has no channel until it has to hear something. The other end goes among the reports; when state is
// not there it waits for the next one.
void StateClient::open_channel() {
  auto pair = make_channel_pair();
  std::string packet;
  encode_message(WorkerConnected{}, packet);
  if (!pair || !send_with(shared_, std::move(packet), pair->second.get())) return;
  take_channel(std::move(pair->first));
  for (auto& [id, reserved] : reserved_) {
    reserved.wish.held = true;
    channel_->send(reserved.wish);
  }
}

// The master brings another.
void StateClient::lost() {
  channel_.reset();
  std::vector<uint64_t> unanswered;
  for (const auto& [id, reserved] : reserved_)
    if (reserved.waiter != nullptr) unanswered.push_back(id);
  grant_unasked(unanswered, "has died");
}

std::string StateClient::started(SessionStarted session) {
  if (session.id == 0) session.id = next_id_++;
  reserved_.erase(session.id);
  std::string record;
  encode_message(session, record);
  if (!channel_ && has_limits_ && shared_ >= 0) open_channel();
  if (channel_) channel_->send_encoded_soon<SessionStarted>(record);
  else if (shared_ >= 0) send_shared(record);
  return record;
}

void StateClient::again(std::string_view record) {
  if (!channel_ && has_limits_ && shared_ >= 0) open_channel();
  if (channel_) channel_->send_encoded<SessionStarted>(std::string(record));
  else if (shared_ >= 0) send_shared(std::string(record));
}

void StateClient::ended(std::string_view record, bool process_lives_on) {
  const SessionEnded end{read(record).id};
  // Where places are few, somebody may be waiting for this one.
  if (channel_) return has_limits_ ? channel_->send(end) : channel_->send_soon(end);
  if (shared_ < 0 || !process_lives_on) return;
  std::string packet;
  encode_message(end, packet);
  send_shared(std::move(packet));
}

SessionStarted StateClient::read(std::string_view record) {
  auto session = decode_message<SessionStarted>(record);
  return session ? std::move(*session) : SessionStarted{};
}

// --- places -----------------------------------------------------------------------

SessionPlace StateClient::reserve(Waiter& waiter, ReserveSession wish) {
  has_limits_ = true;
  const uint64_t id = wish.id = next_id_++;
  if (!channel_ && shared_ >= 0) open_channel();
  Reserved& reserved = reserved_.emplace(id, Reserved{std::move(wish), &waiter, loop_.now()}).first->second;
  if (channel_) {
    channel_->send(reserved.wish);
    start_ticking();
  } else {
    reserved.waiter = nullptr;
    grant_unasked({id}, "is not there");
  }
  return SessionPlace(*this, id, channel_ != nullptr);
}

// Logins go on without it, as if there were no limits (ARCHITECTURE 8).
void StateClient::grant_unasked(const std::vector<uint64_t>& ids, std::string_view why) {
  if (ids.empty()) return;
  if (warned_.says({}, loop_.now()))
    log_warning("postern-state " + std::string(why) +
                ": users get in beyond proxy_max_user_connections and proxy_max_userip_connections");
  for (const uint64_t id : ids) answer(id, PlaceAnswer::Granted);
}

void StateClient::answer(uint64_t id, PlaceAnswer answer) {
  const auto at = reserved_.find(id);
  if (at == reserved_.end()) return;  // given back meanwhile
  Waiter* waiter = std::exchange(at->second.waiter, nullptr);
  if (waiter == nullptr) return;
  if (answer != PlaceAnswer::Granted) reserved_.erase(at);
  waiter->place_answered(answer);
}

void StateClient::on(const SessionReserved& m) {
  const bool late =
      m.answer != PlaceAnswer::Granted && reserved_.contains(m.id) && reserved_.at(m.id).waiter == nullptr;
  // He was let in before the answer came: he is there, and counts.
  if (late) {
    reserved_.at(m.id).wish.held = true;
    return channel_->send(reserved_.at(m.id).wish);
  }
  answer(m.id, m.answer);
}

void StateClient::release(uint64_t id) {
  if (reserved_.erase(id) > 0 && channel_) channel_->send(SessionEnded{id});
}

void StateClient::start_ticking() {
  if (tick_.running()) return;
  tick_.start(
      loop_, kTick, [](void* self) { static_cast<StateClient*>(self)->tick(); }, this);
}

void StateClient::tick() {
  std::vector<uint64_t> hopeless;
  bool more = false;
  for (const auto& [id, reserved] : reserved_) {
    if (reserved.waiter == nullptr) continue;
    more = true;
    if (loop_.now() - reserved.since >= kPatience) hopeless.push_back(id);
  }
  grant_unasked(hopeless, "does not answer");
  if (more) start_ticking();
}

void StateClient::on(const AskIdle& question) {
  channel_->send(IdleSessions{question.query, holder_ != nullptr ? holder_->idle_of(question.ids)
                                                                 : std::vector<std::pair<uint64_t, uint32_t>>()});
}

void StateClient::on(const CloseIdle& order) {
  if (holder_ != nullptr) holder_->close_idle(order.ids, order.why);
}

// --- the shared socket --------------------------------------------------------------

// One packet, one system call; a full socket costs the session nothing.
void StateClient::send_shared(std::string packet) {
  const bool sent = waiting_.empty() && ::send(shared_, packet.data(), packet.size(), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
  if (sent || (waiting_.empty() && errno != EAGAIN && errno != ENOBUFS)) return;
  waiting_.push_back(std::move(packet));
  if (!retry_.running())
    retry_.start(
        loop_, kRetry, [](void* self) { static_cast<StateClient*>(self)->retry(); }, this);
}

void StateClient::retry() {
  for (std::string& packet : std::exchange(waiting_, {})) send_shared(std::move(packet));
}

}  // namespace postern
