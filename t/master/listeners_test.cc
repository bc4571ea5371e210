// Listeners in the file system; those with an address stand in master_parts_test.cc.
#include "master/listeners.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <fstream>

#include "base/check.h"

namespace postern {
namespace {

struct Folder {
  Folder() { POSTERN_CHECK(::mkdtemp(path) != nullptr, "mkdtemp"); }
  ~Folder() { [[maybe_unused]] const int r = ::system(("rm -rf " + std::string(path)).c_str()); }
  std::string file(const std::string& name) const { return std::string(path) + "/" + name; }
  char path[64] = "/tmp/postern-test-XXXXXX";
};

class SocketPaths : public testing::Test {
 protected:
  SocketPaths() {
    environment_.base_dir = folder_.path;
    ServiceSettings& s = configuration_.services.emplace_back();
    s.name = "x-login";
    s.executable = "postern-login";
    s.process_limit = 10;
    s.client_limit = 20;
  }

  ServiceSettings& service() { return configuration_.services[0]; }
  void listen_at(const std::string& path, int64_t mode = 0600, const std::string& user = "",
                 const std::string& group = "") {
    service().unix_listeners.push_back({path, user, group, mode, "x.conf:7"});
  }
  std::vector<ListenerPlan> plans() const {
    auto plans = plan_listeners(configuration_, environment_);
    EXPECT_TRUE(plans);
    return plans ? *plans : std::vector<ListenerPlan>();
  }
  std::string plan_error() const { return plan_listeners(configuration_, environment_).error(); }
  ListenerSockets open(const ListenerSockets& current = {}) const {
    auto sockets = open_listeners(plans(), current);
    EXPECT_TRUE(sockets) << sockets.error();
    return sockets ? std::move(*sockets) : ListenerSockets();
  }
  std::string open_error(const ListenerSockets& current = {}) const { return open_listeners(plans(), current).error(); }
  std::string path() const { return folder_.file("sock"); }

  struct stat stat_of(const std::string& path) const {
    struct stat st {};
    EXPECT_EQ(::lstat(path.c_str(), &st), 0) << path;
    return st;
  }
  bool exists(const std::string& path) const {
    struct stat st;
    return ::lstat(path.c_str(), &st) == 0;
  }
  unsigned mode_of(const std::string& path) const { return stat_of(path).st_mode & 07777; }
  bool connects(const std::string& path) const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    const Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    return ::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }

  Folder folder_;
  Environment environment_;
  Configuration configuration_;
};

TEST_F(SocketPaths, RelativeOnesAreBelowBaseDirAndModeZeroIsOff) {
  listen_at("a", 0666);
  listen_at("/elsewhere/b", 0600);
  listen_at("c", 0);
  const auto all = plans();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].local.text(), folder_.file("a"));
  EXPECT_EQ(all[0].access.mode, 0666u);
  EXPECT_EQ(all[0].access.uid, ::geteuid());
  EXPECT_EQ(all[0].backlog, 200);  // MASTER-7
  EXPECT_TRUE(all[0].local.endpoint.ip.is_none());
  EXPECT_EQ(all[1].local.text(), "/elsewhere/b");
}

TEST_F(SocketPaths, AreForLoginServicesThatRun) {
  listen_at("a");
  service().enabled = false;
  EXPECT_TRUE(plans().empty());
  service().enabled = true;
  service().executable = "postern-auth";
  EXPECT_TRUE(plans().empty());
}

TEST_F(SocketPaths, ErrorsNameThePlaceTheServiceAndTheSetting) {
  listen_at("a");
  listen_at(folder_.file("a"));
  EXPECT_EQ(plan_error(), "x.conf:7: service x-login: unix_listener " + folder_.file("a") + ": " + folder_.file("a") +
                              " is taken by a of service x-login");
  service().unix_listeners.clear();
  listen_at("a", 0600, "no-such-user");
  EXPECT_EQ(plan_error(),
            "x.conf:7: service x-login: unix_listener a: user = no-such-user: user no-such-user does not exist");
  service().unix_listeners.clear();
  listen_at("a", 0600, "", "no-such-group");
  EXPECT_EQ(plan_error(),
            "x.conf:7: service x-login: unix_listener a: group = no-such-group: group no-such-group does not exist");
}

TEST_F(SocketPaths, HaveALimit) {
  const std::string fits = "/" + std::string(SocketFile::kMaxPath - 1, 'a');
  listen_at(fits);
  EXPECT_EQ(plans().size(), 1u);
  listen_at(fits + "a");
  EXPECT_NE(plan_error().find("has 108 bytes, more than the path of a socket may have (107)"), std::string::npos);
}

TEST_F(SocketPaths, WhatAStartWouldStumbleOver) {
  listen_at("missing/sock");
  listen_at("file");
  std::ofstream(folder_.file("file")) << "precious";
  Findings findings;
  for (const ListenerPlan& plan : plans()) check_listener(plan, environment_, findings);
  EXPECT_EQ(findings.errors,
            (std::vector<std::string>{"x.conf:7: service x-login: unix_listener missing/sock: folder " +
                                          folder_.file("missing") + ": No such file or directory",
                                      "x.conf:7: service x-login: unix_listener file: " + folder_.file("file") +
                                          ": a file that is no socket stands there"}));
}

TEST_F(SocketPaths, WithoutRootAForeignOwnerIsAWarning) {
  listen_at("sock", 0660, std::to_string(::geteuid() + 1));
  EXPECT_EQ(plans()[0].access.uid, ::geteuid());
  Findings findings;
  check_listener(plans()[0], environment_, findings);
  EXPECT_EQ(findings.warnings,
            std::vector<std::string>{
                "x.conf:7: service x-login: unix_listener sock: user and group cannot be set without root"});
  environment_.privileged = true;
  EXPECT_EQ(plans()[0].access.uid, ::geteuid() + 1);
}

TEST_F(SocketPaths, AreBoundWithTheirModeAndUnlinkedWithTheirLastOwner) {
  listen_at("sock", 0660);
  const mode_t before = ::umask(0077);
  ListenerSockets sockets = open();
  EXPECT_EQ(::umask(before), 0077u);
  EXPECT_EQ(mode_of(path()), 0660u);
  EXPECT_TRUE(connects(path()));
  auto other_generation = sockets.begin()->second;
  sockets.clear();
  EXPECT_TRUE(exists(path()));
  other_generation.reset();
  EXPECT_FALSE(exists(path()));
}

TEST_F(SocketPaths, AStaleOneIsReplaced) {
  listen_at("sock");
  {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path().copy(address.sun_path, sizeof address.sun_path - 1);
    const Fd dead(::socket(AF_UNIX, SOCK_STREAM, 0));
    ASSERT_EQ(::bind(dead.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  ASSERT_TRUE(exists(path()));
  EXPECT_FALSE(connects(path()));
  const ListenerSockets sockets = open();
  EXPECT_TRUE(connects(path()));
}

TEST_F(SocketPaths, OneInUseAndWhatIsNoSocketAreLeftAlone) {
  listen_at("sock");
  const ListenerSockets sockets = open();
  const std::string label = "x.conf:7: service x-login: unix_listener sock: " + path() + ": ";
  EXPECT_EQ(open_error(), label + "in use, somebody listens there");
  EXPECT_TRUE(connects(path()));
  service().unix_listeners.clear();
  for (const char* what : {"file", "link", "folder"}) listen_at(what);
  std::ofstream(folder_.file("file")) << "precious";
  EXPECT_NE(open_error().find("a file that is no socket stands there"), std::string::npos);
  ASSERT_EQ(::unlink(folder_.file("file").c_str()), 0);
  ASSERT_EQ(::symlink(path().c_str(), folder_.file("link").c_str()), 0);
  EXPECT_NE(open_error().find("a symbolic link stands there"), std::string::npos);
  EXPECT_FALSE(exists(folder_.file("file"))) << "all or nothing";
  ASSERT_EQ(::unlink(folder_.file("link").c_str()), 0);
  ASSERT_EQ(::mkdir(folder_.file("folder").c_str(), 0700), 0);
  EXPECT_NE(open_error().find("a folder stands there"), std::string::npos);
}

TEST_F(SocketPaths, ReloadKeepsAddsAndRemoves) {  // MASTER-33
  listen_at("kept");
  listen_at("removed");
  ListenerSockets sockets = open();
  const int fd = sockets.at({{}, folder_.file("kept")})->fd.get();
  service().unix_listeners.clear();
  listen_at("kept", 0666);
  listen_at("added");
  ListenerSockets next = open(sockets);
  EXPECT_EQ(next.at({{}, folder_.file("kept")})->fd.get(), fd);
  EXPECT_EQ(mode_of(folder_.file("kept")), 0600u) << "nothing changes before all is there";
  refresh_access(plans(), next);
  EXPECT_EQ(mode_of(folder_.file("kept")), 0666u);
  sockets = std::move(next);
  EXPECT_FALSE(exists(folder_.file("removed")));
  EXPECT_TRUE(connects(folder_.file("kept")));
  EXPECT_TRUE(connects(folder_.file("added")));
}

TEST_F(SocketPaths, ReloadMakesAFileAgainThatSomebodyRemoved) {
  listen_at("sock");
  const ListenerSockets first = open();
  ASSERT_EQ(::unlink(path().c_str()), 0);
  ListenerSockets second = open(first);
  EXPECT_NE(second.begin()->second, first.begin()->second);
  EXPECT_TRUE(connects(path()));
}

TEST_F(SocketPaths, WhatReplacedOursIsNotUnlinked) {
  listen_at("sock");
  ListenerSockets sockets = open();
  ASSERT_EQ(::unlink(path().c_str()), 0);
  const ListenerSockets of_another_master = open();
  sockets.clear();
  EXPECT_TRUE(connects(path()));
}

TEST_F(SocketPaths, OwnersAreChangedByRoot) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  environment_.privileged = true;
  listen_at("sock", 0660, "1", "2");
  const ListenerSockets sockets = open();
  EXPECT_EQ(stat_of(path()).st_uid, 1u);
  EXPECT_EQ(stat_of(path()).st_gid, 2u);
  service().unix_listeners[0] = {"sock", "", "", 0600, ""};
  refresh_access(plans(), open(sockets));
  EXPECT_EQ(stat_of(path()).st_uid, 0u);
  EXPECT_EQ(stat_of(path()).st_gid, 0u);
  EXPECT_EQ(mode_of(path()), 0600u);
}

}  // namespace
}  // namespace postern
