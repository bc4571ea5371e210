#include "master/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "conf/reader.h"
#include "conf/row.h"
#include "master/spawn.h"
#include "role/boot_memfd.h"

namespace postern {

namespace {

struct TrialRow {
  Role role;
  char letter;  // of the role's settings
};
constexpr TrialRow kTrials[] = {{Role::Auth, 'A'}, {Role::AuthWorker, 'A'}};

constexpr Milliseconds kPatience{10'000};
constexpr size_t kMaxText = 64 * 1024;

Result<Fd> boot_for(const ServiceSettings& service, const TrialRow& trial, const Configuration& configuration,
                    const Environment& environment) {
  ChildBoot boot;
  boot.role = trial.role;
  boot.service = service;
  boot.configuration = slice_for(configuration, trial.letter, service.protocol);
  boot.privileged = environment.privileged;
  return seal_boot(boot);
}

// What the process says until it closes its end.
std::string read_all(int fd) {
  const SystemClock clock;
  const Instant end = clock.now() + kPatience;
  std::string text;
  for (char buffer[4096]; text.size() < kMaxText;) {
    const auto left = std::chrono::duration_cast<Milliseconds>(end - clock.now()).count();
    pollfd ready{fd, POLLIN, 0};
    if (left <= 0 || (::poll(&ready, 1, static_cast<int>(left)) <= 0 && errno != EINTR)) break;
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n == 0 || (n < 0 && errno != EINTR)) break;
    if (n > 0) text.append(buffer, static_cast<size_t>(n));
  }
  return text;
}

int wait_for(pid_t pid) {
  ::kill(pid, SIGKILL);  // it has closed its end, or had its time
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
  return status;
}

// A role names a setting that it does not like, "NAME: what is wrong"; here is known where it stands (DECISIONS section
// 3).
std::string placed(std::string_view line, const Configuration& c) {
  const std::string_view name = line.substr(0, line.find(": ")), why = line.substr(name.size());
  const auto shown = [&](const std::string& where, const std::string& value) {
    return fmt::format("{}{} = \"{}\"{}", where, name, printable(value, 80), printable(why, 2000));
  };
  if (const Key key = find_setting(name); key != Key::kCount && row_of(key).type == RowType::Text)
    return shown(c.place_of(key), c.settings.text(key));
  for (const ServiceSettings& s : c.services)
    if (name == "service." + s.name + ".executable") return shown(s.where + ": ", s.executable);
  return printable(line, 2000);
}

void add_once(std::vector<std::string>& list, std::string text) {
  if (std::find(list.begin(), list.end(), text) == list.end()) list.push_back(std::move(text));
}

void try_service(const ServiceSettings& service, const TrialRow& trial, const Configuration& configuration,
                 const Environment& environment, Findings& findings) {
  const auto fail = [&](const std::string& why) {
    findings.errors.push_back(fmt::format("service {}: {}", service.name, why));
  };
  const auto boot = boot_for(service, trial, configuration, environment);
  if (!boot) return fail(boot.error());
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail(std::string("pipe: ") + strerror(errno));
  const Fd output(ends[0]);
  Fd input(ends[1]);
  SpawnRequest request;
  request.executable = program_of(service, configuration);
  request.service = service.name;
  request.boot = boot->get();
  request.error_output = input.get();
  request.trial = true;
  const auto pid = spawn(request);
  if (!pid) return fail(pid.error());
  input.reset();
  const std::string text = read_all(output.get());
  const int status = wait_for(*pid);
  const bool good = WIFEXITED(status) && WEXITSTATUS(status) == kExitOk;
  for (std::string_view line : split_words(text, "\n"))
    add_once(good ? findings.warnings : findings.errors, placed(line, configuration));
  if (!good && text.empty()) fail(fmt::format("its program failed when it was tried (wait status {:#x})", status));
}

}  // namespace

void try_services(const Configuration& configuration, const Environment& environment, Findings& findings) {
  for (const ServiceSettings& service : configuration.services)
    for (const TrialRow& trial : kTrials)
      if (role_of(service) == trial.role) try_service(service, trial, configuration, environment, findings);
}

}  // namespace postern
