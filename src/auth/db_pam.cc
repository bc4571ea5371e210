#include "auth/db_pam.h"

#include <security/pam_appl.h>
#include <stdlib.h>
#include <string.h>

#include <utility>

#include "auth/db_pam_plan.h"
#include "base/text.h"

namespace postern {

namespace {

constexpr size_t kLongestPassword = PAM_MAX_RESP_SIZE - 1;  // what modules take
constexpr size_t kLongestNotice = 512;                      // all that PAM says, together
constexpr std::string_view kTerminal = "dovecot";           // what rules of pam_access and pam_time go by

// --- the conversation ----------------------------------------------------------

struct Conversation {
  const std::string& user;
  const SecretString& password;
  std::string notice = {};  // what PAM would show
};

char* copied(std::string_view text) { return ::strndup(text.data(), text.size()); }

void hear(Conversation& c, const char* text) {
  if (text == nullptr || c.notice.size() >= kLongestNotice) return;
  if (!c.notice.empty()) c.notice += ' ';
  c.notice += printable(text, kLongestNotice - c.notice.size());
}

char* say_user(Conversation& c, const char*) { return copied(c.user); }
char* say_password(Conversation& c, const char*) { return copied(c.password.reveal()); }
char* say_nothing(Conversation& c, const char* text) { return hear(c, text), copied(""); }

struct Style {
  int style;
  char* (*reply)(Conversation& c, const char* text);
};
constexpr Style kStyles[] = {{PAM_PROMPT_ECHO_ON, say_user},
                             {PAM_PROMPT_ECHO_OFF, say_password},
                             {PAM_ERROR_MSG, say_nothing},
                             {PAM_TEXT_INFO, say_nothing}};

char* reply_to(const pam_message& message, Conversation& c) {
  for (const Style& s : kStyles)
    if (s.style == message.msg_style) return s.reply(c, message.msg);
  return nullptr;
}

void give_up(pam_response* replies, int count) {
  for (int i = 0; i < count; ++i) {
    if (replies[i].resp == nullptr) continue;
    secure_zero(replies[i].resp, strlen(replies[i].resp));
    ::free(replies[i].resp);
  }
  ::free(replies);
}

// The modules free what they get.
int converse(int count, const pam_message** messages, pam_response** out, void* data) {
  if (count <= 0 || count > PAM_MAX_NUM_MSG) return PAM_CONV_ERR;
  auto* replies = static_cast<pam_response*>(::calloc(static_cast<size_t>(count), sizeof(pam_response)));
  if (replies == nullptr) return PAM_BUF_ERR;
  for (int i = 0; i < count; ++i) {
    replies[i].resp = reply_to(*messages[i], *static_cast<Conversation*>(data));
    if (replies[i].resp != nullptr) continue;
    give_up(replies, count);
    return PAM_CONV_ERR;
  }
  *out = replies;
  return PAM_SUCCESS;
}

// --- results -------------------------------------------------------------------

enum class Meaning : uint8_t { Right, Wrong, Unknown, Expired, Broken };
struct Code {
  int code;
  Meaning meaning;
};
// All others are a wrong password. AUTH-21 counts what modules could not find out among those, too; here it is a
// temporary failure, like that of any database.
constexpr Code kCodes[] = {{PAM_SUCCESS, Meaning::Right},
                           {PAM_USER_UNKNOWN, Meaning::Unknown},
                           {PAM_NEW_AUTHTOK_REQD, Meaning::Expired},
                           {PAM_ACCT_EXPIRED, Meaning::Expired},
                           {PAM_AUTHTOK_EXPIRED, Meaning::Expired},
                           {PAM_AUTHINFO_UNAVAIL, Meaning::Broken},
                           {PAM_OPEN_ERR, Meaning::Broken},
                           {PAM_SYMBOL_ERR, Meaning::Broken},
                           {PAM_SERVICE_ERR, Meaning::Broken},
                           {PAM_SYSTEM_ERR, Meaning::Broken},
                           {PAM_BUF_ERR, Meaning::Broken},
                           {PAM_CONV_ERR, Meaning::Broken},
                           {PAM_ABORT, Meaning::Broken},
                           {PAM_MODULE_UNKNOWN, Meaning::Broken},
                           {PAM_BAD_ITEM, Meaning::Broken},
                           {PAM_SESSION_ERR, Meaning::Broken},
                           {PAM_CRED_ERR, Meaning::Broken},
                           {PAM_CRED_UNAVAIL, Meaning::Broken},
                           {PAM_AUTHTOK_LOCK_BUSY, Meaning::Broken}};

Meaning meaning_of(int code) {
  for (const Code& c : kCodes)
    if (c.code == code) return c.meaning;
  return Meaning::Wrong;
}

DbRow checked(PasswordCheck check) {
  DbRow row;
  row.result = LookupResult::Found;
  row.check = check;
  return row;
}

// Auth has its own delays, which do not hold a worker.
void no_delay(int, unsigned, void*) {}

// One login.
class Transaction {
 public:
  Transaction(const std::string& service, Conversation& talk) : hook_{converse, &talk} {
    status_ = ::pam_start(service.c_str(), talk.user.c_str(), &hook_, &handle_);
    if (status_ != PAM_SUCCESS) failed_at_ = "pam_start", handle_ = nullptr;
  }
  ~Transaction() {
    if (handle_ != nullptr) ::pam_end(handle_, status_);
  }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  // Nothing more is done once something has failed.
  void set(int item, const void* value) {
    if (status_ == PAM_SUCCESS) step("pam_set_item", ::pam_set_item(handle_, item, value));
  }
  void run(const char* name, int (*call)(pam_handle_t*, int), int flags) {
    if (status_ == PAM_SUCCESS) step(name, call(handle_, flags));
  }

  int status() const { return status_; }
  std::string why() const {
    return std::string(failed_at_) +
           "() failed: " + (handle_ == nullptr ? "cannot start" : ::pam_strerror(handle_, status_));
  }
  // Modules may have another name for the user.
  std::string user() const {
    const void* name = nullptr;
    return handle_ != nullptr && ::pam_get_item(handle_, PAM_USER, &name) == PAM_SUCCESS && name != nullptr
               ? static_cast<const char*>(name)
               : "";
  }

 private:
  void step(const char* name, int status) {
    status_ = status;
    if (status != PAM_SUCCESS) failed_at_ = name;
  }

  pam_conv hook_;
  pam_handle_t* handle_ = nullptr;
  int status_ = PAM_SUCCESS;
  const char* failed_at_ = "";
};

class PamDatabase final : public Database {
 public:
  explicit PamDatabase(PamPlan plan) : plan_(std::move(plan)) {}

  DbRow lookup(const Variables& variables, const SecretString* password) override {
    if (password == nullptr) return checked(PasswordCheck::None);
    const std::string user = variables.value(Variable::User, {}), service = plan_.service.expand(variables);
    // Names and passwords are C strings there; a service is a file's name.
    if (user.empty() || user.find('\0') != std::string::npos) return DbRow::not_found();
    if (password->size() > kLongestPassword || password->reveal().find('\0') != std::string_view::npos)
      return checked(PasswordCheck::Wrong);
    if (service.empty() || service[0] == '.' || service.find_first_of(std::string_view("/\0", 2)) != std::string::npos)
      return DbRow::broken("not a service's name: " + printable(service));
    ++requests_;
    return login(user, service, variables.value(Variable::RemoteIp, {}), *password);
  }

  bool worn_out() const override { return plan_.max_requests > 0 && requests_ >= plan_.max_requests; }

 private:
  DbRow login(const std::string& user, const std::string& service, const std::string& remote,
              const SecretString& password) {
    Conversation talk{user, password};
    Transaction t(service, talk);
    if (!remote.empty()) t.set(PAM_RHOST, remote.c_str());
    t.set(PAM_TTY, kTerminal.data());
#ifdef PAM_FAIL_DELAY
    t.set(PAM_FAIL_DELAY, reinterpret_cast<const void*>(no_delay));
#endif
    t.run("pam_authenticate", ::pam_authenticate, 0);
    t.run("pam_acct_mgmt", ::pam_acct_mgmt, 0);
    if (plan_.setcred) t.run("pam_setcred", ::pam_setcred, PAM_ESTABLISH_CRED);
    if (plan_.session) t.run("pam_open_session", ::pam_open_session, 0);
    if (plan_.session) t.run("pam_close_session", ::pam_close_session, 0);
    return row_of(t, user, talk.notice);
  }

  DbRow row_of(const Transaction& t, const std::string& user, const std::string& notice) const {
    const Meaning meaning = meaning_of(t.status());
    if (meaning == Meaning::Broken) return DbRow::broken(t.why() + (notice.empty() ? "" : ": " + notice));
    if (meaning == Meaning::Unknown) return DbRow::not_found();
    DbRow row = checked(meaning == Meaning::Right   ? PasswordCheck::Right
                        : meaning == Meaning::Wrong ? PasswordCheck::Wrong
                                                    : PasswordCheck::Expired);
    if (meaning == Meaning::Right && t.user() != user && !t.user().empty()) row.fields.emplace_back("user", t.user());
    if (meaning != Meaning::Right && plan_.failure_show_msg && !notice.empty())
      row.fields.emplace_back("reason", notice);
    return row;
  }

  PamPlan plan_;
  uint64_t requests_ = 0;
};

}  // namespace

Result<std::unique_ptr<Database>> open_pam(const DatabaseSettings& settings, DbKind) {
  auto plan = PamPlan::from(settings);
  if (!plan) return Error(plan.error());
  return std::unique_ptr<Database>(std::make_unique<PamDatabase>(std::move(*plan)));
}

}  // namespace postern
