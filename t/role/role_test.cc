// Boot memfd, log framing, log client, jail.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <errno.h>

#include <functional>
#include <thread>

#include "config.h"
#include "event/loop.h"
#include "ipc/channel.h"
#include "role/boot_memfd.h"
#include "role/jail.h"
#include "role/log_client.h"
#include "role/log_framing.h"
#include "role/log_paths.h"
#include "role/seccomp.h"

namespace postern {
namespace {

ChildBoot sample_boot() {
  ChildBoot boot;
  boot.role = Role::Auth;
  boot.service.name = "auth";
  boot.configuration.settings.set(Key::hostname, std::string("mx.example"));
  boot.listeners.push_back({7, "plain", {*IpAddress::parse("192.0.2.1"), 143}, false, true});
  boot.generation = 3;
  boot.files.emplace_back("/etc/key", SecretString("PEM"));
  boot.one_shot = true;
  return boot;
}

TEST(Boot, RoundTrip) {
  ChildBoot boot = sample_boot();
  auto fd = seal_boot(boot);
  ASSERT_TRUE(fd);
  for (int i = 0; i < 2; ++i) {  // many children read the same one
    const auto read = read_boot(fd->get());
    ASSERT_TRUE(read) << read.error();
    EXPECT_EQ(read->role, Role::Auth);
    EXPECT_EQ(read->service.name, "auth");
    EXPECT_EQ(read->configuration.settings.text(Key::hostname), "mx.example");
    ASSERT_EQ(read->listeners.size(), 1u);
    EXPECT_EQ(read->listeners[0].local.text(), "192.0.2.1:143");
    EXPECT_TRUE(read->listeners[0].haproxy);
    EXPECT_EQ(read->generation, 3u);
    EXPECT_EQ(read->files.at(0).second.reveal(), "PEM");
    EXPECT_TRUE(read->one_shot);
  }
}

TEST(Boot, CannotBeChanged) {
  ChildBoot boot = sample_boot();
  auto fd = seal_boot(boot);
  ASSERT_TRUE(fd);
  EXPECT_LT(::write(fd->get(), "x", 1), 0);
  EXPECT_NE(::ftruncate(fd->get(), 0), 0);
}

TEST(Boot, RefusesWhatIsNotFromAMaster) {
  const Fd unsealed(::memfd_create("x", MFD_ALLOW_SEALING));
  EXPECT_EQ(read_boot(unsealed.get()).error(), "boot memfd: not sealed by a master");
  EXPECT_FALSE(read_boot(0));
  const Fd other(::memfd_create("x", MFD_ALLOW_SEALING));
  std::string bytes;
  Writer(bytes).put(std::string_view("0.0.0-other"));
  ASSERT_EQ(::write(other.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  ::fcntl(other.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
  const auto read = read_boot(other.get());
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().find("another version"), std::string::npos);
}

TEST(Framing, TextAndEvents) {
  std::string packet;
  append_batch_head(packet, 42, 1700000000123);
  append_text_record(packet, LogLevel::Warning, "two\nlines");
  LogEvent event;
  event.name = "login";
  event.message = "Login";
  event.elements = "user=<a>";
  event.facts = {{"user", "a"}, {"rport", "1234"}, {"host", "9"}};
  append_event_record(packet, event, false);
  append_event_record(packet, event, true);
  const auto batch = parse_log_batch(packet);
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->pid, 42u);
  EXPECT_EQ(batch->wall_milliseconds, 1700000000123u);
  ASSERT_EQ(batch->records.size(), 3u);
  EXPECT_EQ(batch->records[0].content, "two\\x0alines");
  EXPECT_EQ(batch->records[0].level, LogLevel::Warning);
  EXPECT_EQ(batch->records[1].content, "Login: user=<a>");
  EXPECT_FALSE(batch->records[1].json);
  EXPECT_TRUE(batch->records[2].json);
  EXPECT_EQ(batch->records[2].content, R"("event":"login","msg":"Login","user":"a","rport":1234,"host":"9")");
}

// LOG-1: login_log_format. What fills it is not looked at again.
TEST(Framing, EventsTakeTheFormOfTheirFormat) {
  LogEvent event;
  event.message = "Login %s";
  event.elements = "user=<%$>";
  EXPECT_EQ(line_of(event), "Login %s: user=<%$>");
  event.format = "[%s] 100%% %$";
  EXPECT_EQ(line_of(event), "[user=<%$>] 100% Login %s");
  event.format = "%{message} (%{elements})";
  EXPECT_EQ(line_of(event), "Login %s (user=<%$>)");
  event.elements = "";
  EXPECT_EQ(line_of(event), "Login %s");
}

TEST(Framing, AnEventFormatNeedsItsMessage) {
  EXPECT_EQ(log_format_problem(kLogLineFormat), "");
  EXPECT_EQ(log_format_problem("%{message}"), "");
  EXPECT_EQ(log_format_problem("%s"), "lacks %$, the text; accepted: %$ (the text), %s (the elements), %%");
  EXPECT_EQ(log_format_problem("%$ %x"), "has an unknown variable %x; accepted: %$ (the text), %s (the elements), %%");
  EXPECT_EQ(log_format_problem("%$ %").substr(0, 25), "has an unknown variable %");
}

TEST(Framing, WhatALibraryWroteToStderrIsAnError) {
  const auto batch = parse_log_batch("assertion failed\n\nabort\n");
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->pid, 0u);
  ASSERT_EQ(batch->records.size(), 2u);
  EXPECT_EQ(batch->records[0].level, LogLevel::Error);
  EXPECT_EQ(batch->records[1].content, "abort");
}

TEST(Framing, RefusesBrokenPackets) {
  for (const char* packet : {"\x01",
                             "\x01"
                             "12\n",
                             "\x01"
                             "12 34\nXTtext\n",
                             "\x01"
                             "12 34\nIQtext\n",
                             "\x01"
                             "12 34\nITtext",
                             "\x01x y\nITa\n",
                             "\x01"
                             "1 2\n\n"})
    EXPECT_FALSE(parse_log_batch(packet)) << packet;
}

TEST(Framing, JsonStrings) {
  std::string out;
  append_json_string(out, "a\"b\\c\td\x7f \xc3\xa4 \xff\xc3 \xed\xa0\x80 \xf0\x9f\x98\x80");
  EXPECT_EQ(out, "\"a\\\"b\\\\c\\u0009d\\u007f \xc3\xa4 \\ufffd\\ufffd \\ufffd\\ufffd\\ufffd \xf0\x9f\x98\x80\"");
}

TEST(Framing, LongLinesAreCutAndLongObjectsBecomeText) {
  std::string packet;
  append_batch_head(packet, 1, 1);
  const std::string text(20000, 'x');
  append_text_record(packet, LogLevel::Info, text);
  LogEvent event;
  event.message = text;
  append_event_record(packet, event, true);
  const auto batch = parse_log_batch(packet);
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->records[0].content.size(), kMaxLogLine + 3);
  EXPECT_FALSE(batch->records[1].json);
}

TEST(LogPaths, FallBackOneAfterTheOther) {
  Settings settings;
  settings.set(Key::log_path, std::string("/a"));
  settings.set(Key::info_log_path, std::string("/b"));
  EXPECT_EQ(log_path_of(settings, LogLevel::Panic), "/a");
  EXPECT_EQ(log_path_of(settings, LogLevel::Info), "/b");
  EXPECT_EQ(log_path_of(settings, LogLevel::Debug), "/b");
  EXPECT_EQ(log_file_paths(settings), (std::vector<std::string>{"/a", "/b"}));
  settings.set(Key::log_path, std::string("syslog"));
  settings.set(Key::info_log_path, std::string("/dev/stderr"));
  EXPECT_TRUE(log_file_paths(settings).empty());
}

struct LogPair {
  LogPair() {
    auto pair = make_channel_pair();
    writer = std::move(pair->first);
    reader = std::move(pair->second);
  }
  std::string receive() {
    std::string packet(128 * 1024, '\0');
    const ssize_t n = ::recv(reader.get(), packet.data(), packet.size(), MSG_DONTWAIT);
    packet.resize(n > 0 ? static_cast<size_t>(n) : 0);
    return packet;
  }
  std::string wait() {
    pollfd watched{reader.get(), POLLIN, 0};
    ::poll(&watched, 1, -1);
    return receive();
  }
  Fd writer, reader;
};

TEST(LogClient, LinesOfOneTurnTravelTogetherErrorsAtOnce) {
  LogPair pair;
  Loop loop;
  LogClient client(pair.writer.get(), false);
  client.attach(loop);
  client.line(LogLevel::Info, "one");
  client.line(LogLevel::Info, "two");
  EXPECT_EQ(pair.receive(), "");
  client.line(LogLevel::Error, "three");
  const std::string packet = pair.receive();
  const auto batch = parse_log_batch(packet);
  ASSERT_TRUE(batch);
  ASSERT_EQ(batch->records.size(), 3u);
  EXPECT_EQ(batch->records[2].content, "three");
  EXPECT_EQ(batch->pid, static_cast<uint32_t>(::getpid()));
}

TEST(LogClient, WithoutALoopNothingWaits) {
  LogPair pair;
  LogClient client(pair.writer.get(), false);
  client.line(LogLevel::Debug, "x");
  EXPECT_NE(pair.receive(), "");
}

TEST(LogClient, WaitsForAReaderThatIsSlow) {
  LogPair pair;
  LogClient client(pair.writer.get(), false);
  const std::string text(4000, 'x');
  const uint64_t count = 2 * LogClient::kMaxWaiting / text.size();
  uint64_t read = 0;
  std::thread reader([&] {
    while (read < count) {
      const std::string packet = pair.wait();
      if (const auto batch = parse_log_batch(packet); batch) read += batch->records.size();
    }
  });
  for (uint64_t i = 0; i < count; ++i) client.line(LogLevel::Info, text);
  EXPECT_LE(client.waiting_bytes(), LogClient::kCalm);
  while (client.waiting_bytes() > 0) client.flush();
  reader.join();
  EXPECT_EQ(client.lost(), 0u);
}

TEST(LogClient, WithoutAReaderCountsAndTellsLosses) {
  LogPair pair;
  LogClient client(pair.writer.get(), false);
  const std::string text(4000, 'x');
  const uint64_t count = 2 * LogClient::kMaxWaiting / text.size();
  for (uint64_t i = 0; i < count; ++i) client.line(LogLevel::Info, text);
  EXPECT_GT(client.lost(), 0u);
  const uint64_t lost = client.lost();
  uint64_t lines = 0;
  std::string told;
  for (uint64_t round = 0; round < count && told.empty(); ++round) {
    const std::string packet = pair.receive();
    client.flush();
    const auto batch = parse_log_batch(packet);
    if (packet.empty() || !batch) break;
    for (const LogRecord& record : batch->records)
      if (record.level == LogLevel::Warning) told = record.content;
      else ++lines;
  }
  EXPECT_EQ(lines + lost, count);
  EXPECT_EQ(told, std::to_string(lost) + " log lines were lost: the log process did not read them in time");
}

// Runs `work` in a child and gives its exit status; 128 + n for signals.
int in_child(const std::function<int()>& work) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(work());
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST(Jail, UsersAndGroups) {
  const auto root = find_identity("root", "");
  ASSERT_TRUE(root);
  EXPECT_EQ(root->uid, 0u);
  EXPECT_EQ(find_identity("12345", "")->uid, 12345u);
  EXPECT_EQ(find_identity("root", "77")->gid, 77u);
  EXPECT_EQ(find_identity("no-such-user-here", "").error(), "user no-such-user-here does not exist");
  EXPECT_FALSE(find_identity("root", "no-such-group-here"));
}

TEST(Jail, HardenedProcess) {
  EXPECT_EQ(in_child([] {
              if (!harden_process()) return 1;
              rlimit core{1, 1};
              ::getrlimit(RLIMIT_CORE, &core);
              if (core.rlim_max != 0) return 2;
              return ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 3;
            }),
            0);
}

TEST(Jail, NothingCanBeHadBack) {  // MASTER-42
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  char folder[] = "/tmp/postern-jail-XXXXXX";
  ASSERT_NE(::mkdtemp(folder), nullptr);
  ::chmod(folder, 0755);
  EXPECT_EQ(in_child([&folder] {
              if (!enter_root(folder)) return 1;
              if (!drop_bounding_set()) return 2;
              if (!become({12345, 12345})) return 3;
              if (!drop_capabilities()) return 4;
              if (::access("/etc/passwd", F_OK) == 0) return 5;
              if (::setuid(0) == 0 || ::setgid(0) == 0 || ::chroot("/") == 0) return 6;
              if (::prctl(PR_CAPBSET_READ, 7, 0, 0, 0) != 0) return 7;
              return ::getgroups(0, nullptr) == 0 ? 0 : 8;
            }),
            0);
  ::rmdir(folder);
}

#if defined(HAVE_SECCOMP) && !defined(POSTERN_SANITIZED)
TEST(Seccomp, LoginCannotOpenExecOrMakeCodeButCanWork) {
  EXPECT_EQ(
      in_child([] {
        if (!harden_process() || !install_seccomp(Role::Login, {})) return 1;
        if (::open("/etc/passwd", O_RDONLY) >= 0 || errno != EPERM) return 2;
        if (::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
          return 3;
        if (::fork() >= 0) return 4;
        if (::socket(AF_NETLINK, SOCK_RAW, 0) >= 0) return 5;
        const Fd fd(::socket(AF_INET, SOCK_STREAM, 0));
        std::string memory(10 << 20, 'x');
        Loop loop;
        loop.defer([&loop] { loop.stop(); });
        loop.run();
        return fd && memory.back() == 'x' ? 0 : 6;
      }),
      0);
}

// A file without a name in a folder that is open, and nothing that has one (LMTP-38).
TEST(Seccomp, TemporaryFilesWhereTheyAreWanted) {
  const Fd folder(::open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC));
  EXPECT_EQ(in_child([&] {
              if (!harden_process() || !install_seccomp(Role::Login, {.temporary_files = true})) return 1;
              const Fd file(::openat(folder.get(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
              if (!file) return errno == EOPNOTSUPP ? 0 : 2;
              if (::write(file.get(), "x", 1) != 1) return 3;
              if (::openat(folder.get(), "postern-no-such", O_CREAT | O_RDWR | O_CLOEXEC, 0600) >= 0) return 4;
              if (::openat(AT_FDCWD, "/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0) return 5;
              return ::fork() >= 0 ? 6 : 0;
            }),
            0);
  EXPECT_EQ(in_child([&] {
              if (!harden_process() || !install_seccomp(Role::Login, {})) return 1;
              return ::openat(folder.get(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) >= 0 ? 2 : 0;
            }),
            0);
}

TEST(Seccomp, PreparedParentsFork) {
  EXPECT_EQ(in_child([] {
              if (!harden_process() || !install_seccomp(Role::Login, {.forks = true})) return 1;
              return in_child([] { return 7; }) == 7 ? 0 : 2;
            }),
            0);
}
#endif

}  // namespace
}  // namespace postern
