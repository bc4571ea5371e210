#include "login/state_client.h"

#include <errno.h>
#include <sys/socket.h>

#include <utility>

namespace postern {

namespace {
constexpr Milliseconds kRetry{500};
}

StateClient::StateClient(Loop& loop, std::function<void()> connected, std::function<void(const std::vector<uint64_t>&)> kick)
    : loop_(loop), connected_(std::move(connected)), kick_(std::move(kick)) {}

void StateClient::connect(Fd socket) {
  Channel::Events events;
  events.packet = [this](std::string_view packet, std::span<Fd> descriptors) {
    if (const Status s = dispatch(packet, descriptors, Role::State, Role::Login, *this); !s) fatal(kExitSoftware, s.error());
  };
  events.lost = [this](std::string_view) { channel_.reset(); };  // the master brings another
  channel_ = std::make_unique<Channel>(loop_, std::move(socket), Role::Login, Role::State, std::move(events));
  connected_();
}

std::string StateClient::started(SessionStarted session) {
  session.id = next_id_++;
  std::string record;
  encode_message(session, record);
  if (channel_)
    channel_->send_encoded_soon<SessionStarted>(record);
  else if (shared_ >= 0)
    send_shared(record);
  return record;
}

void StateClient::again(std::string_view record) {
  if (channel_)
    channel_->send_encoded<SessionStarted>(std::string(record));
  else if (shared_ >= 0)
    send_shared(std::string(record));
}

void StateClient::ended(std::string_view record, bool process_lives_on) {
  const SessionEnded end{read(record).id};
  if (channel_) return channel_->send_soon(end);
  if (shared_ < 0 || !process_lives_on) return;
  std::string packet;
  encode_message(end, packet);
  send_shared(std::move(packet));
}

SessionStarted StateClient::read(std::string_view record) {
  auto session = decode_message<SessionStarted>(record);
  return session ? std::move(*session) : SessionStarted{};
}

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
