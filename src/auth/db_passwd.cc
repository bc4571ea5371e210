#include "auth/db_passwd.h"

#include <errno.h>
#include <pwd.h>
#include <shadow.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

namespace postern {

namespace {

constexpr size_t kRoom = 64 * 1024;  // of one entry's strings
constexpr const char* kShadowFile = "/etc/shadow";

Result<Template> name_template(const DatabaseSettings& settings) {
  constexpr std::string_view kOption = "username_format=";
  const std::string_view args = trim(settings.args);
  if (!args.empty() && !args.starts_with(kOption))
    return Error("args = " + settings.args + ": accepted: username_format=FORMAT");
  auto compiled = Template::compile(args.empty() ? "%u" : args.substr(kOption.size()));
  if (!compiled) return Error("args: username_format " + compiled.error());
  return compiled;
}

DbRow make_user_row(const passwd& entry) {
  RowBuilder row(DbKind::Userdb);
  row.add("system_groups_user", entry.pw_name);
  row.add("uid", std::to_string(entry.pw_uid));
  row.add("gid", std::to_string(entry.pw_gid));
  row.add("home", entry.pw_dir);
  row.add("shell", entry.pw_shell);
  return row.take();
}

// What "no such user" looks like differs between modules of NSS (getpwnam(3)). EACCES is a file that may not be read.
bool is_absence(int error) {
  for (const int harmless : {0, ENOENT, ESRCH, EBADF, EPERM})
    if (error == harmless) return true;
  return false;
}

DbRow make_password_row(std::string_view name, std::string_view password) {
  if (password.empty() || password[0] == '!' || password[0] == '*') return DbRow::not_found();
  RowBuilder row(DbKind::Passdb);
  row.add("user", name);
  row.add("password", password);
  return row.take();
}

class PasswdDatabase final : public Database {
 public:
  PasswdDatabase(Template name, DbKind kind) : name_(std::move(name)), kind_(kind) {}

  DbRow lookup(const Variables& variables, const SecretString*) override {
    const std::string name = name_.expand(variables);
    if (name.empty() || name.find('\0') != std::string::npos) return DbRow::not_found();
    passwd entry{}, *found = nullptr;
    const int error = ::getpwnam_r(name.c_str(), &entry, room_.data(), room_.size(), &found);
    if (found != nullptr) return kind_ == DbKind::Userdb ? make_user_row(*found) : password_row(*found);
    if (is_absence(error)) return DbRow::not_found();
    return DbRow::broken(std::string("getpwnam() failed: ") + strerror(error));
  }

 private:
  // "x" says that the password is elsewhere (passwd(5)).
  DbRow password_row(const passwd& user) {
    const std::string name = user.pw_name, password = user.pw_passwd;
    if (password != "x") return make_password_row(name, password);
    spwd entry{}, *found = nullptr;
    const int error = ::getspnam_r(name.c_str(), &entry, room_.data(), room_.size(), &found);
    DbRow row = found != nullptr ? make_password_row(name, found->sp_pwdp) : DbRow::not_found();
    secure_zero(room_.data(), room_.size());
    // Sources of NSS do not all tell that they may not read what they have.
    if (found == nullptr && ::access(kShadowFile, R_OK) != 0 && errno == EACCES)
      return DbRow::broken(std::string(kShadowFile) + " may not be read: service.auth-worker.user must be root");
    return found != nullptr || is_absence(error) ? std::move(row)
                                                 : DbRow::broken(std::string("getspnam() failed: ") + strerror(error));
  }

  Template name_;
  DbKind kind_;
  std::string room_ = std::string(kRoom, '\0');
};

}  // namespace

Result<DriverTraits> describe_passwd(const DatabaseSettings& settings, DbKind kind) {
  const auto name = name_template(settings);
  if (!name) return Error(name.error());
  DriverTraits traits;
  if (kind == DbKind::Passdb) traits.default_scheme = "CRYPT";
  add_uses(*name, traits.uses);
  traits.cacheable = true;
  return traits;
}

Result<std::unique_ptr<Database>> open_passwd(const DatabaseSettings& settings, DbKind kind) {
  auto name = name_template(settings);
  if (!name) return Error(name.error());
  return std::unique_ptr<Database>(std::make_unique<PasswdDatabase>(std::move(*name), kind));
}

}  // namespace postern
