#include "delivery/mail_server.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "base/text.h"

namespace postern::test {

MailServer::MailServer(Loop& loop)
    : loop_(loop), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof a;
  EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&a), size), 0);
  EXPECT_EQ(::listen(listener_.get(), 16), 0);
  ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&a), &size);
  port = ntohs(a.sin_port);
  watch_.start(
      loop_, listener_.get(), EV_READ,
      [](evutil_socket_t, short, void* self) { static_cast<MailServer*>(self)->accept(); }, this);
}

size_t MailServer::count(std::string_view what) const {
  size_t n = 0;
  for (size_t at = commands.find(what); at != std::string::npos; at = commands.find(what, at + 1)) ++n;
  return n;
}

void MailServer::accept() {
  Fd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd) return;
  ++connections;
  ++open;
  all_.push_back(std::unique_ptr<Connection>(new Connection{this, std::move(fd)}));
  Connection& c = *all_.back();
  c.watch.start(
      loop_, c.fd.get(), EV_READ,
      [](evutil_socket_t, short, void* p) {
        static_cast<Connection*>(p)->server->on_readable(*static_cast<Connection*>(p));
      },
      &c);
  if (!closes(c, "banner")) say(c, "220 bk ready\r\n");
}

void MailServer::on_readable(Connection& c) {
  char buffer[65536];
  const ssize_t n = ::read(c.fd.get(), buffer, sizeof buffer);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) return close(c);
  c.in.append(buffer, static_cast<size_t>(n));
  while (c.fd && step(c)) {}
  const bool in_message = c.in_data || c.chunk > 0;
  if (c.fd && in_message && !reads) c.watch.set(0);
}

void MailServer::read_on() {
  reads = true;
  for (const auto& c : all_)
    if (c->fd) c->watch.set(EV_READ);
}

bool MailServer::step(Connection& c) { return c.in_data || c.chunk > 0 ? read_message(c) : read_line(c); }

bool MailServer::read_line(Connection& c) {
  const size_t end = c.in.find("\r\n");
  if (end == std::string::npos) return false;
  const std::string line = c.in.substr(0, end);
  c.in.erase(0, end + 2);
  commands += line + "|";
  command(c, line);
  return true;
}

void MailServer::command(Connection& c, const std::string& line) {
  const std::string verb = line.substr(0, line.find(' '));
  if (closes(c, verb)) return;
  if (const auto own = replies.find(verb); own != replies.end()) return say(c, own->second);
  if (verb == "LHLO" || verb == "EHLO") return say(c, capabilities);
  if (verb == "RCPT") ++c.taken;
  if (verb == "DATA") return c.in_data = true, c.data = {}, say(c, "354 go\r\n");
  if (verb == "BDAT") {
    c.chunk = parse_number(line.substr(5, line.find(' ', 5) - 5)).value_or(0);
    c.last = line.ends_with("LAST");
    return;
  }
  say(c, verb == "QUIT" ? "221 2.0.0 bye\r\n" : "250 2.1.0 OK\r\n");
  if (verb == "QUIT") close(c);
}

bool MailServer::read_message(Connection& c) {
  if (c.in.empty() || closes(c, "body")) return false;
  std::string text;
  size_t taken = static_cast<size_t>(std::min<uint64_t>(c.chunk, c.in.size()));
  if (c.in_data) taken = c.data.read(c.in, text);
  else text = c.in.substr(0, taken), c.chunk -= taken;
  c.in.erase(0, taken);
  keep(text);
  if (c.in_data ? !c.data.at_end() : c.chunk > 0 || !c.last) return true;
  c.in_data = false;
  end_message(c);
  return true;
}

void MailServer::keep(std::string_view text) {
  message_size += text.size();
  message += text.substr(0, kKept - message.size());
}

void MailServer::end_message(Connection& c) {
  complete = true;
  if (closes(c, "end")) return;
  if (const auto own = replies.find("end"); own != replies.end()) return say(c, own->second);
  const size_t wanted = answers_each ? c.taken : 1;
  for (size_t i = 0; i < wanted && c.fd; ++i) {
    say(c, i < finals.size() ? finals[i] : "250 2.0.0 Saved\r\n");
    closes(c, "final");
  }
}

void MailServer::say(Connection& c, std::string_view text) {
  EXPECT_EQ(::write(c.fd.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
}

bool MailServer::closes(Connection& c, std::string_view where) {
  if (closes_at != where) return false;
  close(c);
  return true;
}

void MailServer::close(Connection& c) {
  if (!c.fd) return;
  c.watch.stop();
  c.fd.reset();
  --open;
}

}  // namespace postern::test
