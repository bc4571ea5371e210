// Local mail programs: what the master lets auth say, what a program gets, how its failure becomes known.
#include "master/mail_program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

namespace postern {
namespace {

MailRules rules(std::vector<std::string> words) {
  MailRules r;
  r.program = words[0];
  r.words = std::move(words);
  return r;
}

StartMail order(std::vector<std::string> words) {
  StartMail o;
  o.service = "imap";
  o.user = "joe";
  o.uid = std::to_string(::geteuid());
  o.gid = std::to_string(::getegid());
  o.home = "/tmp";
  o.words = std::move(words);
  o.remote = {*IpAddress::parse("192.0.2.1"), 4000};
  o.local = {*IpAddress::parse("2001:db8::2"), 143};
  o.session = "SID";
  return o;
}

TEST(MailArguments, OnlyVariablesAreAuths) {
  const MailRules r = rules({"/bin/mailer", "-c", "/etc/x", "-u", "%u"});
  EXPECT_EQ(*mail_arguments(r, order({"/bin/evil", "-c", "/tmp/evil", "-u", "joe"})),
            (std::vector<std::string>{"/bin/mailer", "-c", "/etc/x", "-u", "joe"}));
  EXPECT_FALSE(mail_arguments(r, order({"/bin/mailer"})));
  EXPECT_FALSE(mail_arguments(r, order({"", "", "", "", std::string("a\0b", 3)})));
  EXPECT_FALSE(mail_arguments(r, order({"", "", "", "", std::string(10000, 'x')})));
}

bool has(const std::vector<std::string>& all, const std::string& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}
size_t count(const std::vector<std::string>& all, const std::string& begin) {
  return static_cast<size_t>(
      std::count_if(all.begin(), all.end(), [&](const std::string& v) { return v.starts_with(begin); }));
}

TEST(MailEnvironment, HasWhatProgramsExpect) {
  StartMail o = order({});
  o.environment = {{"mail", "maildir:~"}, {"quota_rule", "1G"}, {"nice", ""}};
  const auto e = mail_environment(o, "/home/joe", "/bin/sh");
  for (const char* v : {"USER=joe", "LOGNAME=joe", "HOME=/home/joe", "SHELL=/bin/sh", "MAIL=maildir:~", "SERVICE=imap",
                        "IP=192.0.2.1", "LOCAL_IP=2001:db8::2", "TCPREMOTEIP=192.0.2.1", "TCPREMOTEPORT=4000",
                        "TCPLOCALIP=2001:db8::2", "TCPLOCALPORT=143", "SESSION=SID", "QUOTA_RULE=1G", "NICE=1"})
    EXPECT_TRUE(has(e, v)) << v;
  EXPECT_EQ(count(e, "PATH="), 1u);
}

TEST(MailEnvironment, FieldsCannotChangeHowProgramsRun) {
  StartMail o = order({});
  o.environment = {{"ld_preload", "/tmp/x.so"},
                   {"path", "/tmp"},
                   {"home", "/x"},
                   {"user", "root"},
                   {"a=b", "c"},
                   {"a b", "c"},
                   {"1x", "c"},
                   {"bash_env", "/x"},
                   {"ok", std::string("a\0b", 3)},
                   {"big", std::string(100000, 'x')}};
  const auto e = mail_environment(o, "/home/joe", "/bin/sh");
  EXPECT_EQ(count(e, "LD_"), 0u);
  EXPECT_EQ(count(e, "PATH=/tmp"), 0u);
  EXPECT_EQ(count(e, "HOME="), 1u);
  EXPECT_EQ(count(e, "USER="), 1u);
  for (const char* begin : {"A", "1X", "BASH_ENV", "OK", "BIG"}) EXPECT_EQ(count(e, begin), 0u) << begin;
}

std::string read_all(int fd) {
  std::string out;
  char buffer[4096];
  for (pollfd p{fd, POLLIN, 0}; ::poll(&p, 1, 20000) > 0;) {
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n <= 0) break;
    out.append(buffer, static_cast<size_t>(n));
  }
  return out;
}

struct Ran {
  std::string said, failure;
  int status = -1;
};
Ran run(const MailRules& r, const StartMail& o) {
  const Fd null(::open("/dev/null", O_WRONLY));
  auto started = start_mail_program(r, o, -1, null.get());
  if (!started) return {"", started.error(), -1};
  Ran ran;
  ran.failure = read_all(started->failure.get());
  ran.said = read_all(started->socket.get());
  ::waitpid(started->pid, &ran.status, 0);
  return ran;
}

struct Script {
  explicit Script(const std::string& text) {
    std::ofstream(path) << text;
    ::chmod(path.c_str(), 0755);
  }
  ~Script() { ::unlink(path.c_str()); }
  std::string path = "/tmp/postern-mail-" + std::to_string(::getpid());
};

TEST(MailProgram, RunsAtHomeWithItsSocketAndNothingElse) {
  const Script script("#!/bin/sh\necho \"$USER $1 $(pwd)\"; ls /proc/self/fd | tr '\\n' ' '; umask\n");
  const Ran ran = run(rules({script.path, "%u"}), order({script.path, "joe"}));
  EXPECT_EQ(ran.failure, "");
  EXPECT_EQ(ran.said, "joe joe /tmp\n0 1 2 3 0077\n") << "3 is ls itself";
  EXPECT_EQ(ran.status, 0);
}

TEST(MailProgram, AHomeThatIsNotThereYet) {
  const Script script("#!/bin/sh\npwd\n");
  StartMail o = order({script.path});
  o.home = "/tmp/postern-no-such-home";
  EXPECT_EQ(run(rules({script.path}), o).said, "/\n");
}

TEST(MailProgram, FailuresSayWhy) {
  EXPECT_EQ(run(rules({"/nonexistent/program"}), order({"/nonexistent/program"})).failure,
            "/nonexistent/program: No such file or directory");
  StartMail o = order({"/bin/true"});
  o.uid = "no-such-user-here";
  EXPECT_EQ(run(rules({"/bin/true"}), o).failure, "user no-such-user-here does not exist");
  o.uid = std::to_string(::geteuid() + 12345);
  EXPECT_NE(run(rules({"/bin/true"}), o).failure.find("Postern was not started as root"), std::string::npos);
  o.gid = "no-such-group-here";
  EXPECT_EQ(run(rules({"/bin/true"}), o).failure, "group no-such-group-here does not exist");
}

TEST(MailProgram, RootIsNeverAUser) {
  MailRules r = rules({"/bin/true"});
  r.privileged = true;
  r.first_valid_uid = 0;
  StartMail o = order({"/bin/true"});
  o.uid = "root";
  EXPECT_EQ(run(r, o).failure, "uid 0 is below first_valid_uid = 1");
  o.uid = "499";
  r.first_valid_uid = 500;
  EXPECT_EQ(run(r, o).failure, "uid 499 is below first_valid_uid = 500");
  o.uid = "500";
  o.gid = "0";
  EXPECT_EQ(run(r, o).failure, "gid 0 is not for users");
}

}  // namespace
}  // namespace postern
