// Stands in for all role programs but the log in tests of the master: greets clients with its pid and echoes
// lines. Which role it plays is the name it is run by.
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <string>

#include "base/log.h"
#include "base/text.h"
#include "role/prepared.h"
#include "role/role.h"

namespace postern {
namespace {

Role role_named(std::string_view program) {
  program.remove_prefix(program.rfind('/') + 1);
  for (size_t i = 0; i < kRoleNames.size(); ++i)
    if (program == "postern-" + std::string(kRoleNames[i])) return static_cast<Role>(i);
  ::_exit(kExitUsage);
}

void say(int fd, const std::string& text) {
  [[maybe_unused]] const ssize_t n = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
}

// What a client may type: "crash", "exit N", "big" (memory), anything else comes back.
bool obey(int fd, std::string_view line) {
  if (line.rfind("crash", 0) == 0) ::abort();
  if (line.rfind("exit ", 0) == 0) ::_exit(::atoi(std::string(line.substr(5)).c_str()));
  if (line.rfind("root", 0) == 0)
    return say(fd, ::setuid(0) == 0 || ::access("/etc/passwd", F_OK) == 0 ? "outside\n" : "jailed\n"), true;
  if (line.rfind("log ", 0) == 0) log_info(std::string(trim(line.substr(4))));
  if (line.rfind("quit", 0) == 0) return false;
  say(fd, std::string(line));
  return true;
}

// One process, one client: blocking.
int serve(Handover handover) {
  char buffer[512];
  pollfd hello{handover.auth.get(), POLLIN, 0};
  ::poll(&hello, 1, 5000);
  const bool greeted = ::recv(handover.auth.get(), buffer, sizeof buffer, MSG_DONTWAIT) > 0;
  const int fd = handover.client.get();
  say(fd, "hello " + std::to_string(::getpid()) + (greeted ? " auth\n" : " alone\n"));
  for (;;) {
    pollfd watched{fd, POLLIN, 0};
    ::poll(&watched, 1, -1);
    const ssize_t n = ::recv(fd, buffer, sizeof buffer, 0);
    if (n <= 0 || !obey(fd, {buffer, static_cast<size_t>(n)})) return 0;
  }
}

class StandIn {
 public:
  explicit StandIn(RoleProcess& process) : process_(process) {}

  void on(const StopChild& stop) {
    stopping_ = true;
    doors_.clear();
    process_.close_listeners();
    if (stop.how == StopHow::Now) clients_.clear();
    if (clients_.empty()) process_.loop().stop();
  }
  void on(const PeerOpened& peer, std::span<Fd> descriptors) {
    if (descriptors.empty()) return;
    auto channel = std::make_unique<Channel>(process_.loop(), std::move(descriptors[0]), process_.boot().role,
                                             peer.peer, Channel::Events{[](auto, auto) {}, nullptr});
    if (process_.boot().role == Role::Auth && peer.peer == Role::Login)
      channel->send(AuthHello{static_cast<uint32_t>(::getpid())});
    peers_.push_back(std::move(channel));
    log_info("peer " + std::string(name_of(peer.peer)));
    if (::getenv("TZ") != nullptr && process_.boot().role == Role::Auth && peer.peer == Role::AuthWorker &&
        peers_.size() < 2)
      process_.control().send(NeedWorker{1});
  }
  void listen() {
    for (const BootListener& listener : process_.boot().listeners) {
      doors_.push_back(std::unique_ptr<Door>(new Door{this, listener.fd, {}}));
      doors_.back()->watch.start(
          process_.loop(), listener.fd, EV_READ,
          [](evutil_socket_t, short, void* d) { static_cast<Door*>(d)->owner->accept_one(*static_cast<Door*>(d)); },
          doors_.back().get());
    }
    adjust();
  }
  uint32_t available() const {
    return static_cast<uint32_t>(process_.boot().service.client_limit) - static_cast<uint32_t>(clients_.size());
  }
  void orphaned() {
    doors_.clear();
    process_.close_listeners();
    stopping_ = true;
    if (clients_.empty()) process_.loop().stop();
  }

 private:
  struct Door {
    StandIn* owner;
    int fd;
    Watch watch;
  };
  struct Client {
    StandIn* owner;
    Fd fd;
    Watch watch;
  };
  void accept_one(Door& door) {
    Fd fd(::accept4(door.fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd) return;
    say(fd.get(), "hello " + std::to_string(::getpid()) + (peers_.empty() ? " alone\n" : " auth\n"));
    const int number = fd.get();
    std::unique_ptr<Client> client(new Client{this, std::move(fd), {}});
    client->watch.start(
        process_.loop(), number, EV_READ,
        [](evutil_socket_t, short, void* c) { static_cast<Client*>(c)->owner->read_one(*static_cast<Client*>(c)); },
        client.get());
    clients_[number] = std::move(client);
    adjust();
  }
  void read_one(Client& client) {
    char buffer[512];
    const ssize_t n = ::recv(client.fd.get(), buffer, sizeof buffer, 0);
    if (n > 0 && obey(client.fd.get(), {buffer, static_cast<size_t>(n)})) return;
    client.watch.stop();
    process_.loop().defer([this, number = client.fd.get()] {
      clients_.erase(number);
      adjust();
      if (stopping_ && clients_.empty()) process_.loop().stop();
    });
  }
  void adjust() {
    if (stopping_) return;
    for (auto& door : doors_) door->watch.set(available() > 0 ? EV_READ : 0);
    process_.control().send(ChildStatus{available(), false});
  }

  RoleProcess& process_;
  bool stopping_ = false;
  std::vector<std::unique_ptr<Channel>> peers_;
  std::vector<std::unique_ptr<Door>> doors_;
  std::map<int, std::unique_ptr<Client>> clients_;
};

int stand_in_main(int argc, char** argv) {
  const Role role = role_named(argv[0]);
  RoleProcess process(role, argc, argv);
  const bool login = role == Role::Login;
  process.enter_jail({login, login});
  if (process.boot().one_shot) return run_prepared(process, &serve);
  StandIn stand_in(process);
  process.open_control(
      [&](std::string_view packet, std::span<Fd> descriptors) {
        if (const Status status = dispatch(packet, descriptors, Role::Master, role, stand_in); !status)
          fatal(kExitSoftware, status.error());
      },
      [&] { stand_in.orphaned(); });
  stand_in.listen();
  process.show("testing");
  return process.run(stand_in.available());
}

}  // namespace
}  // namespace postern

int main(int argc, char** argv) { return postern::stand_in_main(argc, argv); }
