#include "state/admin_server.h"

#include <errno.h>
#include <fmt/core.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "base/check.h"
#include "base/log.h"
#include "base/text.h"
#include "state/auth_orders.h"

namespace postern {

namespace {

constexpr size_t kPiece = 64 * 1024;  // of an answer, in memory at once
constexpr int kOk = 0, kUsage = 64, kNothing = 67;

std::vector<gid_t> groups_of_peer(int socket) {
  std::vector<gid_t> groups(64);
  for (;;) {
    auto size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    const int failed = ::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size);
    groups.resize(size / sizeof(gid_t));
    if (failed == 0) return groups;
    if (errno != ERANGE) return {};
  }
}

AdminSession shown(uint32_t pid, const SessionStarted& s) {
  AdminSession out;
  out.user = s.user;
  out.service = s.service;
  out.session = s.session;
  out.rip = s.remote.ip.text();
  out.rport = s.remote.port;
  out.lip = s.local.ip.text();
  out.lport = s.local.port;
  out.host = s.backend.ip.text();
  out.port = s.backend.port;
  out.pid = s.mail_pid != 0 ? s.mail_pid : pid;
  out.since = s.since;
  return out;
}

}  // namespace

bool may_command(int socket) {
  ucred who{};
  socklen_t size = sizeof who;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0) return false;
  if (who.uid == 0 || who.uid == ::geteuid() || who.gid == ::getegid()) return true;
  const auto groups = groups_of_peer(socket);
  return std::find(groups.begin(), groups.end(), ::getegid()) != groups.end();
}

AdminServer::AdminServer(Loop& loop, int listener, StateService& service, AuthLink& auth)
    : loop_(loop), listener_(listener), service_(service), auth_(auth) {
  watch_.start(
      loop_, listener_, EV_READ,
      [](evutil_socket_t, short, void* self) { static_cast<AdminServer*>(self)->accept_some(); }, this);
}

void AdminServer::close() { watch_.stop(); }

void AdminServer::accept_some() {
  Fd fd(::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd) return;
  if (connections_.size() >= kMostConnections) return log_warning("admin socket: too many connections");
  if (!may_command(fd.get()))
    return log_warning("admin socket: a user who is neither root nor in our group was refused");
  connections_.emplace_front(*this, std::move(fd));
  connections_.front().place_ = connections_.begin();
}

void AdminServer::bury(Connection& connection) {
  dead_.splice(dead_.begin(), connections_, connection.place_);
  loop_.defer([this] { dead_.clear(); });
}

// --- one connection -------------------------------------------------------------

const AdminServer::Connection::Command AdminServer::Connection::kCommands[] = {
    {"who", &Connection::answer_who},
    {"kick", &Connection::answer_kick},
    {"auth test", &Connection::answer_auth},
    {"auth login", &Connection::answer_auth},
    {"auth lookup", &Connection::answer_auth},
    {"auth cache flush", &Connection::answer_auth},
    {"auth cache status", &Connection::answer_auth},
};

AdminServer::Connection::Connection(AdminServer& server, Fd fd)
    : server_(server), fd_(std::move(fd)), self_(std::make_shared<Connection*>(this)) {
  watch_.start(
      server_.loop_, fd_.get(), EV_READ,
      [](evutil_socket_t, short what, void* self) { static_cast<Connection*>(self)->on_ready(what); }, this);
  wait();
}

void AdminServer::Connection::wait() {
  patience_.start(
      server_.loop_, kPatience, [](void* self) { static_cast<Connection*>(self)->end(); }, this);
}

void AdminServer::Connection::on_ready(short what) {
  if (what & EV_WRITE) flush();
  else read();
  process();
}

void AdminServer::Connection::read() {
  char buffer[4096];
  const ssize_t n = ::recv(fd_.get(), buffer, sizeof buffer, 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) return end();
  in_.append(buffer, static_cast<size_t>(n));
}

// One request after the other: the next one waits until the answer has gone.
void AdminServer::Connection::process() {
  while (!ended_ && out_.empty() && !asks_auth_) {
    const size_t line_end = in_.find('\n');
    if (line_end == std::string::npos && in_.size() > kMaxAdminLine) return end();
    if (line_end == std::string::npos) return;
    const std::string line = in_.substr(0, line_end);
    in_.erase(0, line_end + 1);
    answer(line);
  }
}

void AdminServer::Connection::answer(std::string_view line) {
  wait();
  auto request = decode_admin_request(line);
  if (!request) return refuse(kUsage, request.error());
  for (const Command& command : kCommands)
    if (command.name == request->command) return (this->*command.run)(*request);
  refuse(kUsage, "unknown command " + printable(request->command));
}

void AdminServer::Connection::refuse(int status, std::string why) {
  out_ += encode_admin(AdminEnd{status, 0, std::move(why)});
  flush();
}

void AdminServer::Connection::answer_who(AdminRequest& request) {
  auto filter = filter_from(request);
  if (!filter) return refuse(kUsage, filter.error());
  listing_.emplace(Listing{std::move(*filter), std::nullopt, 0});
  fill();
  flush();
}

void AdminServer::Connection::answer_kick(AdminRequest& request) {
  auto filter = filter_from(request);
  if (!filter) return refuse(kUsage, filter.error());
  std::string users;
  for (const std::string& mask : filter->users) (users += ' ') += printable(mask, 80);
  const uint64_t count = server_.service_.kick(std::move(*filter));
  log_info(fmt::format("{} sessions kicked by admin{}{}", count, users.empty() ? "" : ":", users));
  out_ += encode_admin(AdminEnd{count > 0 ? kOk : kNothing, count, {}});
  flush();
}

void AdminServer::Connection::answer_auth(AdminRequest& request) {
  auto question = question_from(request);
  if (!question) return refuse(kUsage, question.error());
  asks_auth_ = true;
  server_.auth_.ask(std::move(*question), [self = self_](const AuthAnswer& answer) {
    if (*self != nullptr) (*self)->tell(answer);
  });
}

void AdminServer::Connection::tell(const AuthAnswer& answer) {
  if (ended_) return;
  asks_auth_ = false;
  out_ += encode_admin(end_of(answer));
  flush();
  process();
}

// The next piece of a listing; its end line once it is complete.
void AdminServer::Connection::fill() {
  bool more = false;
  server_.service_.roll().each(listing_->filter, listing_->at, [&](const SessionKey& key, const RollEntry& entry) {
    if ((more = out_.size() >= kPiece)) return false;
    out_ += encode_admin(shown(entry.pid, entry.session()));
    listing_->at = key;
    ++listing_->count;
    return true;
  });
  if (more) return;
  out_ += encode_admin(AdminEnd{kOk, listing_->count, {}});
  listing_.reset();
}

void AdminServer::Connection::flush() {
  while (!out_.empty()) {
    const ssize_t n = ::send(fd_.get(), out_.data(), out_.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return watch_.set(EV_WRITE);
    if (n < 0) return end();
    wait();
    out_.erase(0, static_cast<size_t>(n));
    if (out_.empty() && listing_) fill();
  }
  watch_.set(EV_READ);
}

void AdminServer::Connection::end() {
  ended_ = true;
  watch_.stop();
  patience_.stop();
  server_.bury(*this);
}

}  // namespace postern
