// postern-auth: who is this user, and where does he belong.
#include <fmt/core.h>
#include <signal.h>
#include <stdlib.h>

#include "auth/admin_desk.h"
#include "auth/async_databases.h"
#include "auth/policy_client.h"
#include "auth/service.h"
#include "base/log.h"
#include "config.h"
#include "role/role.h"

namespace postern {

namespace {

constexpr JailSpec kAuthJail{};

// What the master says.
class AuthMain {
 public:
  AuthMain(RoleProcess& role, AuthService& service, WorkerPool& workers, MailStarts& mail_starts)
      : role_(role), service_(service), workers_(workers), mail_starts_(mail_starts), admin_(role.loop(), service) {}

  void on(const PeerOpened& opened, std::span<Fd> descriptors) {
    if (descriptors.size() != 1) return;
    if (opened.peer == Role::Login) service_.add_login(std::move(descriptors[0]), opened.pid);
    if (opened.peer == Role::State) admin_.open(std::move(descriptors[0]));
    if (opened.peer == Role::AuthWorker) workers_.add_worker(std::move(descriptors[0]), opened.pid);
  }
  void on(const MailStarted& started, std::span<Fd> descriptors) {
    mail_starts_.on(started, descriptors.empty() ? Fd() : std::move(descriptors[0]));
  }
  // Drain: the login processes of this generation are still there; the last of them ends us.
  void on(const StopChild& stop) {
    if (stop.how == StopHow::Now) service_.finish_all();
    draining_ = true;
    if (stop.how == StopHow::Now || service_.peers() == 0) role_.loop().stop();
  }
  void orphaned() {
    draining_ = true;
    mail_starts_.fail_all("the master has gone: no mail programs are started");
    idle();
  }
  // No login process is left.
  void idle() {
    if (draining_ && service_.peers() == 0) role_.loop().stop();
  }

 private:
  RoleProcess& role_;
  AuthService& service_;
  WorkerPool& workers_;
  MailStarts& mail_starts_;
  AdminDesk admin_;
  bool draining_ = false;
};

int auth_main(int argc, char** argv) {
  RoleProcess role(Role::Auth, argc, argv);
  role.enter_jail(kAuthJail);
  if (role.is_trial())
    return RoleProcess::conclude(AuthSettings::problems(role.boot().configuration),
                                 AuthSettings::warnings(role.boot().configuration));
  auto settings = AuthSettings::compile(role.boot().configuration);
  if (!settings) fatal(kExitConfig, settings.error());
  // Where Kerberos looks for it; nothing else runs in this process yet.
  if (!settings->krb5_keytab.empty()) ::setenv("KRB5_KTNAME", settings->krb5_keytab.c_str(), 1);
  const SystemClock clock;
  Resolver resolver(role.loop());
  const AsyncWorld world{role.loop(), resolver};
  if (const Status opened = open_async_databases(role.boot().configuration, world, *settings); !opened)
    fatal(kExitConfig, opened.error());
  AuthMain* main = nullptr;
  WorkerPool workers(role.loop(), {.workers = settings->max_workers},
                     [&](uint32_t waiting) { role.control().send(NeedWorker{waiting}); });
  AuthService service(role.loop(), clock, workers, resolver, std::move(*settings), [&] { main->idle(); });
  MailStarts mail_starts(
      [&](const StartMail& what, std::vector<Fd> descriptors) { role.control().send(what, std::move(descriptors)); });
  service.order_mail_from(mail_starts);
#ifdef HAVE_CURL
  PolicyClient policy(role.loop(), service.policy());
  service.ask_policy_of(policy);
#endif
  AuthMain handler(role, service, workers, mail_starts);
  main = &handler;
  const SignalWatch flush(role.loop(), SIGHUP, [&] {
    log_info(fmt::format("SIGHUP received, {} cache entries flushed", service.flush_cache({})));
  });
  role.open_control(
      [&](std::string_view packet, std::span<Fd> fds) {
        const Status status = dispatch(packet, fds, Role::Master, Role::Auth, handler);
        if (!status) fatal(kExitSoftware, "bad message from the master: " + status.error());
      },
      [&] { handler.orphaned(); });
  return role.run(static_cast<uint32_t>(role.boot().service.client_limit));
}

}  // namespace

}  // namespace postern

int main(int argc, char** argv) { return postern::auth_main(argc, argv); }
