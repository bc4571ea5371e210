#include "auth/db_passwd.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>

#include "base/text.h"

namespace postern {

namespace {

constexpr size_t kRoom = 64 * 1024;  // of one entry's strings

Result<Template> name_template(const DatabaseSettings& settings) {
  constexpr std::string_view kOption = "username_format=";
  const std::string_view args = trim(settings.args);
  if (!args.empty() && !args.starts_with(kOption)) return Error("args = " + settings.args + ": accepted: username_format=FORMAT");
  auto compiled = Template::compile(args.empty() ? "%u" : args.substr(kOption.size()));
  if (!compiled) return Error("args: username_format " + compiled.error());
  return compiled;
}

DbRow make_row(const passwd& entry) {
  RowBuilder row(DbKind::Userdb);
  row.add("system_groups_user", entry.pw_name);
  row.add("uid", std::to_string(entry.pw_uid));
  row.add("gid", std::to_string(entry.pw_gid));
  row.add("home", entry.pw_dir);
  row.add("shell", entry.pw_shell);
  return row.take();
}

class PasswdDatabase final : public Database {
 public:
  explicit PasswdDatabase(Template name) : name_(std::move(name)) {}

  DbRow lookup(const Variables& variables, const SecretString*) override {
    const std::string name = name_.expand(variables);
    if (name.empty() || name.find('\0') != std::string::npos) return DbRow::not_found();
    passwd entry{}, *found = nullptr;
    const int error = ::getpwnam_r(name.c_str(), &entry, room_.data(), room_.size(), &found);
    if (found != nullptr) return make_row(*found);
    // What "no such user" looks like differs between modules of NSS (getpwnam(3)).
    for (const int harmless : {0, ENOENT, ESRCH, EBADF, EPERM})
      if (error == harmless) return DbRow::not_found();
    return DbRow::broken(std::string("getpwnam() failed: ") + strerror(error));
  }

 private:
  Template name_;
  std::string room_ = std::string(kRoom, '\0');
};

}  // namespace

Result<DriverTraits> describe_passwd(const DatabaseSettings& settings, DbKind) {
  const auto name = name_template(settings);
  if (!name) return Error(name.error());
  DriverTraits traits;
  add_uses(*name, traits.uses);
  traits.cacheable = true;
  return traits;
}

Result<std::unique_ptr<Database>> open_passwd(const DatabaseSettings& settings, DbKind) {
  auto name = name_template(settings);
  if (!name) return Error(name.error());
  return std::unique_ptr<Database>(std::make_unique<PasswdDatabase>(std::move(*name)));
}

}  // namespace postern
