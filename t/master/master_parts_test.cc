// Small parts of the master: command line, ends in words, listeners, pid file, spawn, boot files.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "base/check.h"
#include "master/boot_files.h"
#include "master/environment.h"
#include "master/listeners.h"
#include "master/log_inputs.h"
#include "master/options.h"
#include "master/pid_file.h"
#include "master/spawn.h"
#include "master/wait_text.h"

namespace postern {
namespace {

struct Folder {
  Folder() { POSTERN_CHECK(::mkdtemp(path) != nullptr, "mkdtemp"); }
  ~Folder() { [[maybe_unused]] const int r = ::system(("rm -rf " + std::string(path)).c_str()); }
  std::string file(const std::string& name) const { return std::string(path) + "/" + name; }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(file(name)) << text;
    return file(name);
  }
  char path[64] = "/tmp/postern-test-XXXXXX";
};

Result<Options> parse(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "postern");
  std::vector<char*> argv;
  for (auto& a : arguments) argv.push_back(a.data());
  argv.push_back(nullptr);
  return parse_options(static_cast<int>(arguments.size()), argv.data());
}

TEST(Options, AllOfThem) {
  const auto o = parse({"-F", "-c", "x.conf", "-o", "a=1", "-o", "b.c=2", "-P"});
  ASSERT_TRUE(o);
  EXPECT_EQ(o->mode, Mode::Foreground);
  EXPECT_FALSE(o->logs_to_stderr);
  EXPECT_EQ(o->file, "x.conf");
  EXPECT_EQ(o->assignments, (std::vector<std::string>{"a=1", "b.c=2"}));
  EXPECT_TRUE(o->show_secrets);
  EXPECT_TRUE(parse({})->background());
  EXPECT_TRUE(parse({"-L"})->logs_to_stderr);
  EXPECT_EQ(parse({"-L"})->mode, Mode::Foreground);
  EXPECT_EQ(parse({"-t"})->mode, Mode::Test);
  EXPECT_EQ(parse({"-n"})->mode, Mode::DumpChanged);
  EXPECT_EQ(parse({"-a"})->mode, Mode::DumpAll);
}

TEST(Options, Wrong) {
  EXPECT_EQ(parse({"-x"}).error(), "unknown option -x");
  EXPECT_EQ(parse({"-c"}).error(), "option -c needs an argument");
  EXPECT_EQ(parse({"extra"}).error(), "unexpected argument extra");
}

TEST(WaitText, Ends) {  // MASTER-30
  EXPECT_EQ(describe_end(7, W_EXITCODE(0, 0), 0), "");
  EXPECT_EQ(describe_end(7, W_EXITCODE(3, 0), 0), "child 7 returned error 3");
  EXPECT_EQ(describe_end(7, W_EXITCODE(84, 0), 0), "child 7 returned error 84 (exec failed)");
  EXPECT_EQ(describe_end(7, W_EXITCODE(83, 0), 256 << 20),
            "child 7 returned error 83 (out of memory: raise vsz_limit, now 256 M)");
  EXPECT_EQ(describe_end(7, W_EXITCODE(0, SIGSEGV), 0), "child 7 killed with signal 11 (core dumps disabled)");
  EXPECT_TRUE(ended_clean(0));
  EXPECT_FALSE(ended_clean(W_EXITCODE(0, SIGKILL)));
}

ServiceSettings login_service() {
  ServiceSettings s;
  s.name = "x-login";
  s.executable = "postern-login";
  s.process_limit = 10;
  s.client_limit = 20;
  s.inet_listeners.push_back({"plain", 0, {"127.0.0.1"}, false, false, false});
  return s;
}

TEST(Environment, RolesAndLimits) {
  ServiceSettings s = login_service();
  EXPECT_EQ(role_of(s), Role::Login);
  EXPECT_FALSE(is_one_shot(s));
  s.client_limit = 20000;
  EXPECT_EQ(effective_client_limit(s, 100000), 20000);
  EXPECT_EQ(effective_client_limit(s, 20000), 9968);  // DECISIONS section 2
  s.service_count = 100;
  EXPECT_EQ(effective_client_limit(s, 100000), 100);  // MASTER-2
  s.service_count = 1;
  EXPECT_TRUE(is_one_shot(s));
  s.enabled = false;
  EXPECT_EQ(role_of(s), std::nullopt);
  s.enabled = true;
  s.executable = "/usr/lib/dovecot/something";
  EXPECT_EQ(role_of(s), std::nullopt);
}

uint16_t port_of(int fd) {
  sockaddr_storage a;
  socklen_t n = sizeof a;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&a), &n);
  return Endpoint::from_sockaddr(reinterpret_cast<sockaddr*>(&a)).port;
}

TEST(Listeners, PlanLeavesOutWhatIsOff) {
  Configuration c;
  ServiceSettings s = login_service();
  s.inet_listeners = {{"off", 0, {}, false, false, false},
                      {"plain", 4001, {}, false, false, false},
                      {"tls", 4002, {"::1"}, true, false, false}};
  c.services.push_back(s);
  c.settings.set(Key::listen, std::vector<std::string>{"*", "::"});
  c.settings.set(Key::ssl, std::string("yes"));
  auto plans = plan_listeners(c, {});
  ASSERT_TRUE(plans);
  ASSERT_EQ(plans->size(), 3u);
  EXPECT_EQ((*plans)[0].local.text(), "0.0.0.0:4001");
  EXPECT_EQ((*plans)[1].local.text(), "[::]:4001");
  EXPECT_TRUE((*plans)[1].optional);
  EXPECT_EQ((*plans)[2].local.text(), "[::1]:4002");
  EXPECT_EQ((*plans)[2].backlog, 200);  // MASTER-7
  c.settings.set(Key::ssl, std::string("no"));
  EXPECT_EQ(plan_listeners(c, {})->size(), 2u);
}

TEST(Listeners, OneAddressTwiceIsAnError) {
  Configuration c;
  ServiceSettings s = login_service();
  s.inet_listeners = {{"a", 4001, {"127.0.0.1"}, false, false, false}, {"b", 4001, {"127.0.0.1"}, false, false, false}};
  c.services.push_back(s);
  EXPECT_EQ(plan_listeners(c, {}).error(),
            "service x-login: inet_listener b: 127.0.0.1:4001 is taken by a of service x-login");
}

TEST(Listeners, ReloadKeepsEqualSocketsAndOpensTheRest) {  // MASTER-33
  ListenerPlan plan{"x-login", "plain", {{*IpAddress::parse("127.0.0.1"), 0}, ""}, false, false, false, false, 4};
  const auto first = open_listeners({plan}, {});
  ASSERT_TRUE(first);
  const int fd = first->begin()->second->fd.get();
  const auto second = open_listeners({plan}, *first);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->begin()->second->fd.get(), fd);
  int on = 0;
  socklen_t length = sizeof on;
  ::getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &length);
  EXPECT_NE(on, 0);
  ListenerPlan taken = plan;
  taken.local.endpoint.port = port_of(fd);
  const auto refused = open_listeners({plan, taken}, *first);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), "service x-login: bind(" + taken.local.text() + "): Address already in use");
}

TEST(PidFile, LockedForLifeAndRemoved) {  // MASTER-38
  const Folder folder;
  const std::string path = folder.file("master.pid");
  std::string why;
  {
    PidFile file;
    ASSERT_EQ(file.take(path, why), PidFile::Taken::Ours);
    std::ifstream in(path);
    pid_t pid = 0;
    in >> pid;
    EXPECT_EQ(pid, ::getpid());
    PidFile other;
    EXPECT_EQ(other.take(path, why), PidFile::Taken::Running);
    EXPECT_EQ(why, "Postern is already running with PID " + std::to_string(::getpid()) + " (read from " + path + ")");
  }
  EXPECT_NE(::access(path.c_str(), F_OK), 0);
}

TEST(PidFile, StaleContentDoesNotHinderALinkDoes) {
  const Folder folder;
  std::string why;
  PidFile file;
  EXPECT_EQ(file.take(folder.write("stale.pid", "1\n"), why), PidFile::Taken::Ours);
  ASSERT_EQ(::symlink("/tmp/elsewhere", folder.file("link.pid").c_str()), 0);
  PidFile link;
  EXPECT_EQ(link.take(folder.file("link.pid"), why), PidFile::Taken::Broken);
}

TEST(LogFiles, OpenedOnceEachAndNeverThroughALink) {
  const Folder folder;
  Settings settings;
  settings.set(Key::log_path, folder.file("errors"));
  settings.set(Key::info_log_path, folder.file("info"));
  settings.set(Key::debug_log_path, folder.file("info"));
  const auto files = open_log_files(settings);
  ASSERT_TRUE(files);
  EXPECT_EQ(files->size(), 2u);
  folder.write("target", "secret\n");
  ASSERT_EQ(::symlink(folder.file("target").c_str(), folder.file("link").c_str()), 0);
  settings.set(Key::info_log_path, folder.file("link"));
  EXPECT_FALSE(open_log_files(settings));
  ASSERT_EQ(::link(folder.file("target").c_str(), folder.file("hard").c_str()), 0);
  settings.set(Key::info_log_path, folder.file("hard"));
  EXPECT_FALSE(open_log_files(settings));
}

TEST(BootFiles, EveryFileOnceWithThoseOfOverrides) {
  const Folder folder;
  Configuration c;
  c.settings.set(Key::ssl_cert, folder.write("a.pem", "A"));
  c.settings.set(Key::ssl_key, folder.write("a.key", "AK"));
  c.settings.set(Key::ssl_client_ca_dir, std::string(folder.path));
  SettingsOverride block;
  block.values.emplace_back(static_cast<uint16_t>(Key::ssl_cert), SettingValue(folder.write("b.pem", "B")));
  block.values.emplace_back(static_cast<uint16_t>(Key::ssl_key), SettingValue(std::string("-----BEGIN X-----")));
  c.overrides.push_back(block);
  std::vector<std::string> errors;
  const BootFiles files = read_boot_files(c, errors);
  EXPECT_TRUE(errors.empty());
  std::map<std::string, std::string> found;
  for (const auto& [path, content] : files) EXPECT_TRUE(found.emplace(path, content.reveal()).second) << path;
  EXPECT_EQ(found, (std::map<std::string, std::string>{{folder.file("a.pem"), "A"},
                                                       {folder.file("a.key"), "AK"},
                                                       {folder.file("b.pem"), "B"},
                                                       {"-----BEGIN X-----", "-----BEGIN X-----"}}));
}

TEST(BootFiles, MissingFilesAndHalfPairsAreErrors) {
  Configuration c;
  c.settings.set(Key::ssl_cert, std::string("/nonexistent/a.pem"));
  std::vector<std::string> errors;
  const BootFiles files = read_boot_files(c, errors);
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors[0], "ssl_cert = /nonexistent/a.pem: No such file or directory");
  check_certificates(c, files, errors);
  ASSERT_EQ(errors.size(), 2u);
  EXPECT_EQ(errors[1], "ssl_cert = /nonexistent/a.pem: a certificate and its key must be given together");
}

std::string run_and_read(SpawnRequest request, int& status) {
  int output[2];
  EXPECT_EQ(::pipe2(output, O_CLOEXEC), 0);
  request.error_output = output[1];
  const auto pid = spawn(request);
  EXPECT_TRUE(pid);
  ::close(output[1]);
  std::string text;
  char buffer[512];
  for (ssize_t n; (n = ::read(output[0], buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<size_t>(n));
  ::close(output[0]);
  ::waitpid(*pid, &status, 0);
  return text;
}

TEST(Spawn, AFailedExecSaysWhy) {
  SpawnRequest request;
  request.executable = "/nonexistent/program";
  int status = 0;
  EXPECT_EQ(run_and_read(request, status), "exec(/nonexistent/program) failed: No such file or directory\n");
  EXPECT_EQ(WEXITSTATUS(status), kExitExecFailed);
}

TEST(Spawn, ChildrenGetTheirDescriptorsAndNothingElse) {
  const Folder folder;
  const std::string script = folder.write("probe",
                                          "#!/bin/sh\nexec 1>&2\ncd /proc/self/fd\nfor i in *; do [ -e $i ] && echo "
                                          "$i; done | sort -n | tr '\\n' ' '\necho $1 ${LEAK-clean}\n");
  ::chmod(script.c_str(), 0755);
  ::setenv("LEAK", "leaked", 1);
  const int leaked = ::open("/dev/null", O_RDONLY);  // not close-on-exec
  SpawnRequest request;
  request.executable = script;
  request.service = "service-name";
  request.listeners = {leaked, leaked};
  int status = 0;
  const std::string text = run_and_read(request, status);
  ::close(leaked);
  ::unsetenv("LEAK");
  // 3 to 6 and two listeners; whatever the shell adds for itself stands above.
  EXPECT_EQ(text.substr(0, 17), "0 1 2 3 4 5 6 7 8") << text;
  EXPECT_NE(text.find("service-name clean"), std::string::npos) << text;
}

}  // namespace
}  // namespace postern
