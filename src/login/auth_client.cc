#include "login/auth_client.h"

#include <fmt/core.h>

#include "base/log.h"

namespace postern {

namespace {
constexpr Milliseconds kTick{1000};
}

AuthTicket::~AuthTicket() {
  if (client_ != nullptr) client_->cancel(id_);
}

AuthClient::AuthClient(Loop& loop, Milliseconds slow, Milliseconds outage, Milliseconds patience)
    : loop_(loop), slow_(slow), outage_(outage), patience_(patience), lost_at_(loop.now()) {}

void AuthClient::connect(Fd socket, bool trusted_ready) {
  ready_ = trusted_ready;
  channel_ = std::make_unique<Channel>(
      loop_, std::move(socket), Role::Login, Role::Auth,
      Channel::Events{[this](std::string_view packet, std::span<Fd> descriptors) {
                        // auth is more trusted than we are: nonsense from it is a bug to stop at (H14)
                        if (const Status s = dispatch(packet, descriptors, Role::Auth, Role::Login, *this); !s)
                          fatal(kExitSoftware, s.error());
                      },
                      [this](std::string_view why) { lost(why); }});
}

void AuthClient::disconnect() {
  channel_.reset();
  ready_ = false;
}

void AuthClient::lost(std::string_view why) {
  if (pending_.empty()) log_debug(fmt::format("Lost connection to auth: {}", why));
  else log_warning(fmt::format("Lost connection to auth with {} requests under way: {}", pending_.size(), why));
  channel_.reset();
  ready_ = false;
  lost_at_ = loop_.now();
  std::vector<uint64_t> hopeless;
  for (const auto& [id, p] : pending_)
    if (p.asked_again || p.once) hopeless.push_back(id);
  for (uint64_t id : hopeless) fail(id);
}

void AuthClient::on(const AuthHello&) {
  if (ready_) return;  // it was known to serve: what waits has been asked
  ready_ = true;
  std::vector<uint64_t> hopeless;
  for (auto& [id, p] : pending_) {  // ARCHITECTURE 8: retried once
    if (p.once) {
      hopeless.push_back(id);
      continue;
    }
    p.asked_again = true;
    std::visit([this](const auto& question) { channel_->send(question); }, p.question);
  }
  for (const uint64_t id : hopeless) fail(id);
  if (ready_callback_) ready_callback_();
}

template <class Question>
AuthTicket AuthClient::ask(Waiter& waiter, Question question, Fd message) {
  const uint64_t id = next_id_++;
  question.id = id;
  const bool once = static_cast<bool>(message);
  std::vector<Fd> descriptors;
  if (message) descriptors.push_back(std::move(message));
  if (ready_) channel_->send(question, std::move(descriptors));
  Pending& pending = pending_.emplace(id, Pending{&waiter, std::move(question), loop_.now()}).first->second;
  pending.once = once;
  start_ticking();
  return AuthTicket(*this, id);
}

AuthTicket AuthClient::begin(Waiter& waiter, AuthStart start) { return ask(waiter, std::move(start), Fd()); }

AuthTicket AuthClient::begin(Waiter& waiter, UserLookup lookup, Fd message) {
  return ask(waiter, std::move(lookup), std::move(message));
}

void AuthClient::respond(const AuthTicket& ticket, SecretString response) {
  const auto it = pending_.find(ticket.id());
  if (it == pending_.end()) return;
  it->second.once = true;
  if (!ready_) return fail(ticket.id());
  channel_->send(AuthContinue{ticket.id(), std::move(response)});
}

void AuthClient::cancel(uint64_t id) {
  if (pending_.erase(id) > 0 && ready_) channel_->send(AuthCancel{id});
}

void AuthClient::on(AuthChallenge message) {
  const auto it = pending_.find(message.id);
  if (it == pending_.end()) return;  // cancelled meanwhile
  it->second.once = true;
  it->second.waiter->auth_challenge(std::move(message.challenge));
}

void AuthClient::on(const AuthReply& message, std::span<Fd> descriptors) {
  answer(message, descriptors.empty() ? Fd() : std::move(descriptors[0]));
}

void AuthClient::answer(AuthReply reply, Fd program) {
  const auto it = pending_.find(reply.id);
  if (it == pending_.end()) return;  // cancelled meanwhile; a program reads the end of its input
  Waiter* waiter = it->second.waiter;
  pending_.erase(it);
  waiter->auth_reply(std::move(reply), std::move(program));
}

void AuthClient::fail(uint64_t id) {
  AuthReply reply;
  reply.id = id;
  reply.result = AuthResult::Unavailable;
  answer(std::move(reply), Fd());
}

void AuthClient::start_ticking() {
  if (tick_.running()) return;
  tick_.start(
      loop_, kTick, [](void* self) { static_cast<AuthClient*>(self)->tick(); }, this);
}

void AuthClient::tick() {
  const Instant now = loop_.now();
  std::vector<Waiter*> slow;
  std::vector<uint64_t> hopeless;
  for (auto& [id, p] : pending_) {
    if (!p.told_slow && now - p.since >= slow_) {
      p.told_slow = true;
      slow.push_back(p.waiter);
    }
    const bool alone = !ready_ && now - lost_at_ >= outage_;
    if (alone || now - p.since >= patience_) hopeless.push_back(id);
  }
  for (Waiter* w : slow) w->auth_slow();
  for (uint64_t id : hopeless) fail(id);
  if (!pending_.empty()) start_ticking();
}

}  // namespace postern
