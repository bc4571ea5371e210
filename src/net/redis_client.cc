#include "net/redis_client.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "net/socket.h"

namespace postern {

namespace {

constexpr Milliseconds kFirstPause{1'000}, kLongestPause{15'000};
constexpr int kPauseFactor = 5;
constexpr size_t kReadSize = 16 * 1024;

// Replies of a server that is up, but not for work yet: another may be.
constexpr std::string_view kElsewhere[] = {"LOADING", "MASTERDOWN", "CLUSTERDOWN"};

std::string error_text(int number) { return std::strerror(number); }

Fd connect_unix(const std::string& path, int& error) {
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), std::min(path.size(), sizeof address.sun_path - 1));
  error = 0;
  if (fd && ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  error = errno;
  return Fd();
}

}  // namespace

RedisClient::RedisClient(Loop& loop, Resolver& resolver, Options options)
    : loop_(loop), resolver_(resolver), options_(std::move(options)) {
  for (RedisServer& server : options_.servers) candidates_.push_back({std::move(server)});
}

RedisClient::~RedisClient() { *alive_ = false; }

void RedisClient::send(std::span<const std::string_view> words, Done done) {
  Command command{redis_command(words), std::move(done), loop_.now() + options_.connect_timeout + options_.timeout};
  if (waiting_.size() + sent_.size() >= options_.max_commands)
    return end(command, Error("too many commands under way"));
  waiting_.push_back(std::move(command));
  proceed();
}

// Who is told may ask again at once, or end us.
void RedisClient::end(Command& command, Result<RedisReply> result) {
  if (!command.done) return;
  loop_.defer(
      [flag = alive_, done = std::move(command.done), told = std::make_shared<Result<RedisReply>>(std::move(result))] {
        if (*flag) done(std::move(*told));
      });
}

// --- time -------------------------------------------------------------------------

void RedisClient::proceed() {
  const Instant now = loop_.now();
  expire(now);
  if (state_ == State::Apart && !waiting_.empty()) choose_server(now);
  if (state_ == State::Ready) transmit();
  set_timer(loop_.now());
}

void RedisClient::expire(Instant now) {
  const bool slow = !sent_.empty() && std::min(sent_.front().reply_due, sent_.front().deadline) <= now;
  const bool stuck = state_ != State::Apart && state_ != State::Ready && step_due_ <= now;
  if (stuck && state_ == State::Connecting && !addresses_.empty()) connect_next();
  else if (slow || stuck) lose(slow ? "no reply in time" : "no connection in time", true);
  while (!waiting_.empty() && waiting_.front().deadline <= now) {
    end(waiting_.front(), Error(last_why_));
    waiting_.pop_front();
  }
}

void RedisClient::set_timer(Instant now) {
  std::optional<Instant> next;
  const auto add = [&next](Instant when) { next = next ? std::min(*next, when) : when; };
  if (!waiting_.empty()) add(waiting_.front().deadline);
  if (!sent_.empty()) add(std::min(sent_.front().reply_due, sent_.front().deadline));
  if (state_ == State::Apart && !waiting_.empty()) add(retry_at_);
  if (state_ != State::Apart && state_ != State::Ready) add(step_due_);
  if (!next) return timer_.stop();
  const auto after = std::chrono::ceil<Milliseconds>(*next - now);
  timer_.start(
      loop_, std::max(after, Milliseconds(1)), [](void* self) { static_cast<RedisClient*>(self)->proceed(); }, this);
}

// --- connecting -------------------------------------------------------------------

// The first that is not left alone. When all are, those commands wait that can.
void RedisClient::choose_server(Instant now) {
  const auto ready =
      std::find_if(candidates_.begin(), candidates_.end(), [now](const Candidate& c) { return c.not_before <= now; });
  if (ready == candidates_.end()) {
    const auto soonest =
        std::min_element(candidates_.begin(), candidates_.end(),
                         [](const Candidate& a, const Candidate& b) { return a.not_before < b.not_before; });
    retry_at_ = soonest->not_before;
    return expire(retry_at_);
  }
  at_ = static_cast<size_t>(ready - candidates_.begin());
  addresses_.clear();
  step_due_ = now + options_.connect_timeout;
  const RedisServer& server = ready->server;
  if (server.host.empty()) return connect_to(server, {});
  if (const auto literal = IpAddress::parse(server.host)) return connect_to(server, {*literal, server.port});
  state_ = State::Resolving;
  resolver_.resolve(server.host, options_.connect_timeout,
                    [this, flag = alive_, attempt = ++attempt_](const auto& addresses) {
                      if (*flag && attempt == attempt_ && state_ == State::Resolving) take_addresses(addresses);
                    });
}

void RedisClient::take_addresses(const Result<std::vector<IpAddress>>& addresses) {
  if (!addresses || addresses->empty()) {
    lose("DNS lookup failed: " + (addresses ? std::string("no address") : addresses.error()), true);
  } else {
    for (const IpAddress& ip : *addresses) addresses_.push_back({ip, candidates_[at_].server.port});
    connect_next();
  }
  proceed();
}

void RedisClient::connect_next() {
  const Endpoint to = addresses_.front();
  addresses_.pop_front();
  step_due_ = loop_.now() + options_.connect_timeout;
  connect_to(candidates_[at_].server, to);
}

void RedisClient::connect_to(const RedisServer& server, const Endpoint& to) {
  int error = 0;
  watch_.stop();
  socket_ = server.host.empty() ? connect_unix(server.path, error) : connect_begin(to, {}, 0, error);
  state_ = State::Connecting;
  if (!socket_ && !addresses_.empty()) return connect_next();
  if (!socket_) return lose(error_text(error), true);
  watch_.start(
      loop_, socket_.get(), EV_WRITE,
      [](evutil_socket_t, short what, void* self) { static_cast<RedisClient*>(self)->on_ready(what); }, this);
}

void RedisClient::connected() {
  if (const int error = socket_error(socket_.get())) {
    if (!addresses_.empty()) return connect_next();
    return lose(error_text(error), true);
  }
  reader_ = std::make_unique<RedisReader>(options_.max_reply);
  answered_ = false;
  greet();
}

// Who we are, and which database; then the commands.
void RedisClient::greet() {
  const RedisServer& server = candidates_[at_].server;
  std::vector<std::string_view> login{"AUTH"};
  if (!server.user.empty()) login.push_back(server.user);
  login.push_back(server.password.reveal());
  const std::string database = std::to_string(server.database);
  const std::string_view select[] = {"SELECT", database};
  state_ = State::Greeting;
  const auto add = [this](std::span<const std::string_view> words) {
    sent_.push_back({redis_command(words), nullptr, step_due_, step_due_});
    out_.append(sent_.back().bytes.reveal());
  };
  if (!server.password.empty()) add(login);
  if (server.database != 0) add(select);
  if (sent_.empty()) state_ = State::Ready;
  transmit();
}

// --- talking ----------------------------------------------------------------------

void RedisClient::transmit() {
  const Instant due = loop_.now() + options_.timeout;
  for (; state_ == State::Ready && !waiting_.empty(); waiting_.pop_front()) {
    out_.append(waiting_.front().bytes.reveal());
    sent_.push_back(std::move(waiting_.front()));
    sent_.back().reply_due = due;
  }
  const std::string_view rest = out_.reveal().substr(written_);
  const ssize_t n = rest.empty() ? 0 : ::send(socket_.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
  if (n < 0 && errno != EAGAIN && errno != EINTR) return lose(error_text(errno), !answered_);
  written_ += static_cast<size_t>(std::max<ssize_t>(n, 0));
  if (written_ == out_.size()) {
    out_.wipe();
    written_ = 0;
  }
  watch_.set(static_cast<short>(EV_READ | (out_.empty() ? 0 : EV_WRITE)));
}

void RedisClient::on_ready(short what) {
  if (state_ == State::Connecting) connected();
  else if ((what & EV_READ) != 0) receive();
  proceed();
}

void RedisClient::receive() {
  char bytes[kReadSize];
  const ssize_t n = ::recv(socket_.get(), bytes, sizeof bytes, 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) return lose(n == 0 ? "the server closed the connection" : error_text(errno), !answered_);
  const bool fed = reader_->feed({bytes, static_cast<size_t>(n)});
  secure_zero(bytes, static_cast<size_t>(n));
  while (fed && state_ != State::Apart) {
    auto reply = reader_->next();
    if (!reply) return lose(reply.error(), true);
    if (!*reply) return;
    take(std::move(**reply));
  }
  if (!fed) lose("this is not Redis' protocol", true);
}

void RedisClient::take(RedisReply reply) {
  if (sent_.empty()) return lose("a reply to nothing: " + printable(reply.error_code(), 40), true);
  const bool elsewhere =
      std::find(std::begin(kElsewhere), std::end(kElsewhere), reply.error_code()) != std::end(kElsewhere);
  if (elsewhere || (!sent_.front().done && reply.is_error()))
    return lose("it says " + printable(reply.error_code(), 40), true);
  Command command = std::move(sent_.front());
  sent_.pop_front();
  if (!command.done) {
    if (sent_.empty()) state_ = State::Ready;
    return;
  }
  answered_ = true;
  candidates_[at_].pause = Milliseconds(0);
  end(command, std::move(reply));
}

// --- loss -------------------------------------------------------------------------

void RedisClient::lose(std::string why, bool blamed) {
  const std::string server = candidates_[at_].server.text();
  if (blamed || !sent_.empty()) log_error("redis: " + printable(server) + ": " + why);
  last_why_ = server + ": " + why;
  if (blamed) blame();
  watch_.stop();
  socket_ = Fd();
  reader_.reset();
  out_.wipe();
  written_ = 0;
  addresses_.clear();
  state_ = State::Apart;
  ++attempt_;
  give_back(last_why_);
}

void RedisClient::blame() {
  Candidate& candidate = candidates_[at_];
  candidate.pause =
      candidate.pause.count() == 0 ? kFirstPause : std::min(candidate.pause * kPauseFactor, kLongestPause);
  candidate.not_before = loop_.now() + candidate.pause;
}

// What was asked of the lost connection goes in front of what waits, in its order.
void RedisClient::give_back(const std::string& why) {
  for (; !sent_.empty(); sent_.pop_back()) {
    Command& command = sent_.back();
    if (!command.done) continue;
    if (std::exchange(command.again, true)) end(command, Error(why));
    else waiting_.push_front(std::move(command));
  }
}

}  // namespace postern
