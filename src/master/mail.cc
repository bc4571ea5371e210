// Local mail programs: auth orders them for users who have authenticated, login processes never do (PRIV-13). Their
// sockets go back to auth, which hands them to the session that asked.
#include <errno.h>
#include <fmt/core.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "conf/services.h"
#include "master/mail_program.h"
#include "master/master.h"
#include "master/wait_text.h"

namespace postern {

namespace {

constexpr Milliseconds kStartsWithin{30000};

MailRules rules_for(const ServiceSettings& service, const Configuration& configuration, bool privileged) {
  MailRules rules;
  for (std::string_view word : split_words(service.executable)) rules.words.emplace_back(word);
  rules.program = mail_program_of(service, configuration);
  rules.first_valid_uid = configuration.settings.number(Key::first_valid_uid);
  rules.vsz_limit = service.vsz_limit;
  rules.privileged = privileged;
  return rules;
}

// What is counted together: sessions of a user from one address (IMAP-89), or all deliveries for him (LMTP-47).
std::string userip_of(const StartMail& order) {
  std::string key = order.service + '\0' + order.user + '\0';
  return order.delivery ? key : key.append(order.remote.ip.bytes());
}

std::string too_many_text(const StartMail& order) {
  if (order.delivery) return "Too many concurrent deliveries for user";
  return fmt::format("Maximum number of connections from user+IP exceeded (mail_max_userip_connections={})",
                     order.max_userip);
}

}  // namespace

uint32_t Master::mail_children(const std::string& service) const {
  const auto found = mail_counts_.find(service);
  return found == mail_counts_.end() ? 0 : found->second;
}

void Master::on_start_mail(Child& auth, const StartMail& order, Fd message) {
  const ServiceSettings* service = configuration_.service(order.service);
  const ServiceRow* row = find_service(order.service);
  const bool known =
      service != nullptr && row != nullptr && serves_local_users(row->kind) && !service->executable.empty();
  const auto refuse = [&](const std::string& why) { auth.channel->send(MailStarted{order.id, 0, why, false}); };
  if (!known) return refuse("service." + printable(order.service, 40) + ".executable is not set");
  if (stopping()) return refuse("Postern is stopping");
  if (mail_children(order.service) >= service->process_limit)
    return refuse(fmt::format("service.{}.process_limit ({}) reached", order.service, service->process_limit));
  std::string userip = userip_of(order);
  if (const auto same = mail_userips_.find(userip);
      order.max_userip != 0 && same != mail_userips_.end() && same->second >= order.max_userip)
    return auth.channel->send(MailStarted{order.id, 0, too_many_text(order), true});
  const LogInputs::Input* input = inputs_.get(order.service);
  if (input == nullptr) return refuse("no descriptors left");
  auto started = start_mail_program(rules_for(*service, configuration_, environment_.privileged), order, message.get(),
                                    input->writer.get());
  if (!started) return refuse(fmt::format("service.{}.executable: {}", order.service, started.error()));
  auto child = std::make_unique<MailChild>();
  child->master = this;
  child->pid = static_cast<uint32_t>(started->pid);
  child->service = order.service;
  child->auth = auth.pid;
  child->order = order.id;
  child->who = fmt::format("user {}, session <{}>", printable(order.user, 80), printable(order.session, 80));
  child->socket = std::move(started->socket);
  child->failure = std::move(started->failure);
  child->end = std::move(started->end);
  ++mail_counts_[order.service];
  ++mail_userips_[userip];
  child->userip = std::move(userip);
  watch_mail(*child);
  mail_[child->pid] = std::move(child);
}

void Master::watch_mail(MailChild& child) {
  child.watch.start(
      loop_, child.failure.get(), EV_READ,
      [](evutil_socket_t, short, void* c) {
        static_cast<MailChild*>(c)->master->mail_reported(*static_cast<MailChild*>(c));
      },
      &child);
  child.patience.start(
      loop_, kStartsWithin,
      [](void* c) {
        auto& late = *static_cast<MailChild*>(c);
        ::kill(static_cast<pid_t>(late.pid), SIGKILL);
        late.master->answer_mail(late, "it did not start within 30 seconds");
      },
      &child);
}

// Its end of the pipe is closed by exec; before that it says what is wrong.
void Master::mail_reported(MailChild& child) {
  char text[512];
  const ssize_t n = ::read(child.failure.get(), text, sizeof text);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  answer_mail(child, n > 0 ? std::string(text, static_cast<size_t>(n)) : std::string());
}

// Tells auth, with the socket when there is no `failure`. The order's auth may have died: then the program reads the
// end of its input.
void Master::answer_mail(MailChild& child, const std::string& failure) {
  child.watch.stop();
  child.patience.stop();
  child.failure.reset();
  child.failed = !failure.empty();
  MailStarted answer{child.order, child.failed ? 0 : child.pid, {}, false};
  if (child.failed) answer.why = fmt::format("service.{}.executable: {}", child.service, failure);
  std::vector<Fd> descriptors;
  if (!child.failed) descriptors.push_back(std::move(child.socket));
  child.socket.reset();
  const auto auth = children_.find(child.auth);
  if (auth != children_.end() && auth->second->service->role == Role::Auth)
    auth->second->channel->send(answer, std::move(descriptors));
}

// Who waits for it may have gone; the pipe has room for it.
void Master::tell_end(const MailChild& child, int wait_status) {
  const DeliveryEnd end{wait_status};
  if (!child.end || child.failed) return;
  if (::write(child.end.get(), &end, sizeof end) < 0)
    log_debug(fmt::format("service({}): nobody waits for the end of child {}", child.service, child.pid));
}

void Master::mail_ended(uint32_t pid, int wait_status) {
  const auto child = std::move(mail_.extract(pid).mapped());
  if (child->failure) mail_reported(*child);
  child->watch.stop();
  tell_end(*child, wait_status);
  --mail_counts_[child->service];
  if (const auto same = mail_userips_.find(child->userip); same != mail_userips_.end() && --same->second == 0)
    mail_userips_.erase(same);
  const ServiceSettings* service = configuration_.service(child->service);
  // How a delivery ended is its sender's to say; a signal is worth a line.
  if (child->end && WIFEXITED(wait_status)) return;
  const std::string text = describe_end(pid, wait_status, service == nullptr ? 0 : service->vsz_limit);
  if (!text.empty() && !child->failed && !stopping())
    log_sink().line(LogLevel::Error, fmt::format("service({}): {} ({})", child->service, text, child->who));
}

void Master::signal_mail(int number) {
  for (const auto& [pid, child] : mail_) ::kill(static_cast<pid_t>(pid), number);
}

}  // namespace postern
