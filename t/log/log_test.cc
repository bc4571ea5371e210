// What the log process writes: DECISIONS section 7.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "event/loop.h"
#include "ipc/channel.h"
#include "log/format.h"
#include "log/output.h"
#include "log/router.h"

namespace postern {
namespace {

constexpr uint64_t kWhen = 1700545183123;  // 2023-11-21T05:39:43.123Z

struct Utc {
  Utc() {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
  }
};

LogLine line_of(LogLevel level, std::string_view content, bool json = false) {
  return {"imap-login", 77, kWhen, {level, json, content}};
}

TEST(Format, File) {
  const Utc utc;
  EXPECT_EQ(format_for_file(line_of(LogLevel::Info, "Disconnected: x"), "%b %d %H:%M:%S "),
            "Nov 21 05:39:43 imap-login: Info: Disconnected: x\n");
  EXPECT_EQ(format_for_file(line_of(LogLevel::Panic, "x"), ""), "imap-login: Panic: x\n");
}

TEST(Format, Syslog) {
  EXPECT_EQ(format_for_syslog(line_of(LogLevel::Info, "Disconnected: x")), "imap-login: Disconnected: x");
  EXPECT_EQ(format_for_syslog(line_of(LogLevel::Error, "x")), "imap-login: Error: x");
  EXPECT_EQ(format_for_syslog(line_of(LogLevel::Warning, "x")), "imap-login: Warning: x");
  EXPECT_EQ(syslog_priority(LogLevel::Info), LOG_INFO);
  EXPECT_EQ(syslog_priority(LogLevel::Error), LOG_ERR);
  EXPECT_EQ(syslog_priority(LogLevel::Fatal), LOG_CRIT);
}

TEST(Format, Json) {
  EXPECT_EQ(format_as_json(line_of(LogLevel::Warning, "a \"b\"")),
            R"({"ts":"2023-11-21T05:39:43.123Z","level":"warning","service":"imap-login","pid":77,"msg":"a \"b\""})");
  EXPECT_EQ(
      format_as_json(line_of(LogLevel::Info, R"("event":"login","msg":"Login")", true)),
      R"({"ts":"2023-11-21T05:39:43.123Z","level":"info","service":"imap-login","pid":77,"event":"login","msg":"Login"})");
}

// Takes as many bytes as it is told, or fails.
class FakeOutput final : public Output {
 public:
  using Output::Output;
  size_t room = SIZE_MAX;
  int error = 0;
  std::string written;

 protected:
  Progress write_some(std::string_view text) override {
    if (error != 0) return {0, error};
    const size_t n = std::min(room, text.size());
    written.append(text.substr(0, n));
    room -= n;
    return {n, 0};
  }
};

TEST(Output, PartialWritesGoOnWhereTheyStopped) {
  FakeOutput out("x", [](std::string_view) {});
  out.add("first\n");
  out.add("second\n");
  out.room = 8;
  EXPECT_FALSE(out.pump());
  EXPECT_EQ(out.written, "first\nse");
  out.room = 100;
  EXPECT_TRUE(out.pump());
  EXPECT_EQ(out.written, "first\nsecond\n");
  EXPECT_EQ(out.waiting_bytes(), 0u);
}

TEST(Output, AFullDiskIsSaidOnceLinesWaitAndLossesAreCounted) {
  std::vector<std::string> said;
  FakeOutput out("/var/log/x", [&](std::string_view text) { said.emplace_back(text); });
  out.error = ENOSPC;
  const std::string line(1000, 'x');
  for (int i = 0; i < 2000; ++i) {
    out.add(line);
    EXPECT_FALSE(out.pump());
  }
  ASSERT_EQ(said.size(), 1u);
  EXPECT_EQ(said[0], "/var/log/x: No space left on device; lines are kept as far as there is room");
  EXPECT_LE(out.waiting_bytes(), Output::kMaxWaiting);
  const uint64_t lost = out.lost();
  EXPECT_GT(lost, 0u);
  out.error = 0;
  EXPECT_TRUE(out.pump());
  EXPECT_EQ(out.written.size(), (2000 - lost) * 1000);
  ASSERT_EQ(said.size(), 3u);
  EXPECT_EQ(said[1], "/var/log/x: writing again");
  EXPECT_EQ(said[2], "/var/log/x: " + std::to_string(lost) + " lines were lost");
}

TEST(Output, MoreThanThereIsRoomForInOneTurnIsWrittenNotLost) {
  FakeOutput out("x", [](std::string_view) {});
  out.room = 10 * Output::kMaxWaiting;
  const std::string line(1000, 'x');
  for (int i = 0; i < 5000; ++i) out.add(line);
  EXPECT_EQ(out.lost(), 0u);
  EXPECT_TRUE(out.pump());
  EXPECT_EQ(out.written.size(), 5000 * line.size());
}

TEST(Output, SyslogDatagrams) {
  const Utc utc;
  char folder[] = "/tmp/postern-log-XXXXXX";
  ASSERT_NE(::mkdtemp(folder), nullptr);
  const std::string path = std::string(folder) + "/log";
  const Fd server(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, path.data(), path.size());
  ASSERT_EQ(::bind(server.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  SyslogOutput out(
      LOG_MAIL, "postern", [](std::string_view) {}, path);
  out.add(out.frame(LOG_INFO, "imap-login: x", kWhen));
  EXPECT_TRUE(out.pump());
  char buffer[256];
  const ssize_t n = ::recv(server.get(), buffer, sizeof buffer, 0);
  ASSERT_GT(n, 0);
  EXPECT_EQ(std::string(buffer, static_cast<size_t>(n)), "<22>Nov 21 05:39:43 postern: imap-login: x");
  ::unlink(path.c_str());
  ::rmdir(folder);
}

TEST(Output, Facilities) {
  EXPECT_EQ(syslog_facility_of("local3"), LOG_LOCAL3);
  EXPECT_EQ(syslog_facility_of("mail"), LOG_MAIL);
}

std::string content_of(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

class Router : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(::mkdtemp(folder_), nullptr);
    settings_.set(Key::log_path, file("errors"));
    settings_.set(Key::info_log_path, file("info"));
    settings_.set(Key::log_timestamp, std::string());
    settings_.set(Key::syslog_ident, std::string("postern-test"));
  }
  void TearDown() override { [[maybe_unused]] const int r = ::system(("rm -rf " + std::string(folder_)).c_str()); }
  std::string file(const std::string& name) const { return std::string(folder_) + "/" + name; }
  void open(LogRouter& router) {
    std::vector<Fd> files;
    for (const char* name : {"errors", "info"})
      files.emplace_back(::open(file(name).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    router.open_files(files);
  }
  Fd input(LogRouter& router, const std::string& service) {
    auto pair = make_channel_pair();
    router.add_input(service, std::move(pair->second));
    return std::move(pair->first);
  }
  void send(const Fd& to, LogLevel level, std::string_view text) {
    std::string packet;
    append_batch_head(packet, 5, kWhen);
    append_text_record(packet, level, text);
    ASSERT_EQ(::send(to.get(), packet.data(), packet.size(), MSG_DONTWAIT), static_cast<ssize_t>(packet.size()));
  }
  char folder_[64] = "/tmp/postern-router-XXXXXX";
  Loop loop_;
  Settings settings_;
};

TEST_F(Router, LevelsGoToTheirFiles) {
  LogRouter router(loop_, settings_, false);
  open(router);
  const Fd login = input(router, "imap-login");
  send(login, LogLevel::Info, "hello");
  send(login, LogLevel::Error, "bad");
  ASSERT_EQ(::send(login.get(), "raw\x1b text\n", 10, 0), 10);
  router.finish();
  EXPECT_EQ(content_of(file("info")), "imap-login: Info: hello\n");
  EXPECT_EQ(content_of(file("errors")), "imap-login: Error: bad\nimap-login: Error: raw\\x1b text\n");
}

TEST_F(Router, ReopenWritesToTheNewFile) {
  LogRouter router(loop_, settings_, false);
  open(router);
  const Fd login = input(router, "imap-login");
  send(login, LogLevel::Info, "before");
  router.finish();
  ASSERT_EQ(::rename(file("info").c_str(), file("info.1").c_str()), 0);
  open(router);
  send(login, LogLevel::Info, "after");
  router.finish();
  EXPECT_EQ(content_of(file("info.1")), "imap-login: Info: before\n");
  EXPECT_EQ(content_of(file("info")), "imap-login: Info: after\n");
}

TEST_F(Router, EndsWithItsLastInput) {
  LogRouter router(loop_, settings_, false);
  open(router);
  bool ended = false;
  router.on_no_inputs([&] {
    ended = true;
    loop_.stop();
  });
  {
    const Fd a = input(router, "a"), b = input(router, "b");
    send(a, LogLevel::Info, "last");
  }
  loop_.run();
  EXPECT_TRUE(ended);
  EXPECT_EQ(content_of(file("info")), "a: Info: last\n");
}

TEST_F(Router, JsonLines) {
  settings_.set(Key::log_format, std::string("json"));
  LogRouter router(loop_, settings_, false);
  open(router);
  const Fd login = input(router, "x");
  send(login, LogLevel::Info, "hi");
  router.finish();
  EXPECT_EQ(content_of(file("info")),
            "{\"ts\":\"2023-11-21T05:39:43.123Z\",\"level\":\"info\",\"service\":\"x\",\"pid\":5,\"msg\":\"hi\"}\n");
}

}  // namespace
}  // namespace postern
