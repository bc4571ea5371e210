// postern(8): command line, checks, daemon.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include <string>

#include "base/check.h"
#include "base/fd.h"
#include "conf/reader.h"
#include "conf/render.h"
#include "master/environment.h"
#include "master/master.h"
#include "master/options.h"
#include "master/pid_file.h"

namespace postern {

namespace {

void print(FILE* where, const std::string& text) { ::fwrite(text.data(), 1, text.size(), where); }

int print_findings(const std::vector<std::string>& errors, const std::vector<std::string>& warnings) {
  for (const std::string& warning : warnings) print(stderr, "Warning: " + warning + "\n");
  for (const std::string& error : errors) print(stderr, error + "\n");
  return errors.empty() ? kExitOk : kExitConfig;
}

// 0, 1 and 2 must be something: a socket that took their place would get our messages. Nothing else is inherited.
void tidy_descriptors() {
  int fd;
  do fd = ::open("/dev/null", O_RDWR);
  while (fd >= 0 && fd < 3);
  ::close_range(3, ~0U, 0);
}

// In the background: the caller waits for one byte, the exit status. Returns in the daemon, with the pipe's end.
Fd daemonise() {
  int report[2];
  if (::pipe2(report, O_CLOEXEC) != 0) fatal(kExitOs, std::string("pipe: ") + strerror(errno));
  const pid_t pid = ::fork();
  if (pid < 0) fatal(kExitOs, std::string("fork: ") + strerror(errno));
  if (pid > 0) {
    ::close(report[1]);
    unsigned char status = kExitSoftware;
    while (::read(report[0], &status, 1) < 0 && errno == EINTR) {}
    ::_exit(status);
  }
  ::close(report[0]);
  ::setsid();
  [[maybe_unused]] const int moved = ::chdir("/");
  return Fd(report[1]);
}

// Tells the waiting caller, once, and lets go of its terminal.
void report_start(Fd& caller, int status) {
  if (!caller) return;
  const auto byte = static_cast<unsigned char>(status);
  [[maybe_unused]] const ssize_t n = ::write(caller.get(), &byte, 1);
  caller.reset();
  const Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (const int fd : {0, 1, 2}) ::dup2(null.get(), fd);
}

int run_master(const Options& options, Configuration configuration, Environment environment) {
  Fd caller = options.background() ? daemonise() : Fd();
  ::umask(0077);
  const auto fail = [&](int status, const std::string& why) {
    print(stderr, "postern: Fatal: " + why + "\n");
    report_start(caller, status);
    return status;
  };
  if (const Status made = make_folders(configuration, environment); !made) return fail(kExitCantCreate, made.error());
  PidFile pid_file;
  std::string why;
  const PidFile::Taken taken = pid_file.take(environment.base_dir + "/master.pid", why);
  if (taken == PidFile::Taken::Running) return fail(kExitUnavailable, why);
  if (taken == PidFile::Taken::Broken) return fail(kExitCantCreate, why);
  ::openlog(configuration.settings.text(Key::instance_name).c_str(), 0, LOG_MAIL);
  Master master(options, std::move(configuration), std::move(environment),
                [&](int status) { report_start(caller, status); });
  if (const auto [status, text] = master.prepare(); status != kExitOk) return fail(status, text);
  return master.run();
}

int with_configuration(const Options& options) {
  LoadedConfiguration loaded = load_configuration(options.file, options.assignments);
  if (const int failed = print_findings(loaded.errors, loaded.warnings)) return failed;
  if (options.mode == Mode::DumpChanged || options.mode == Mode::DumpAll) {
    print(stdout, render_configuration(loaded.configuration, options.mode == Mode::DumpAll, options.show_secrets));
    return kExitOk;
  }
  const auto environment = look_around(loaded.configuration);
  if (!environment) return print_findings({environment.error()}, {});
  const Findings findings = check_environment(loaded.configuration, *environment);
  if (const int failed = print_findings(findings.errors, findings.warnings)) return failed;
  if (options.mode == Mode::Test) {
    print(stdout, options.file + ": ok\n");
    return kExitOk;
  }
  return run_master(options, std::move(loaded.configuration), *environment);
}

}  // namespace

int master_main(int argc, char** argv) {
  tidy_descriptors();
  const auto options = parse_options(argc, argv);
  if (!options) {
    print(stderr, "postern: " + options.error() + "\n" + usage_text());
    return kExitUsage;
  }
  if (options->mode == Mode::Help) return print(stdout, usage_text()), kExitOk;
  if (options->mode == Mode::Version) return print(stdout, version_text()), kExitOk;
  return with_configuration(*options);
}

}  // namespace postern

int main(int argc, char** argv) { return postern::master_main(argc, argv); }
