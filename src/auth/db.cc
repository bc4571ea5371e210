#include "auth/db.h"

#include <algorithm>
#include <span>

#include "auth/db_http_plan.h"
#include "auth/db_ldap_plan.h"
#include "auth/db_pam_plan.h"
#include "auth/db_passwd.h"
#include "auth/db_passwd_file.h"
#include "auth/db_redis_plan.h"
#include "auth/db_sql_plan.h"
#include "auth/db_static.h"
#include "auth/oauth2_plan.h"
#include "base/text.h"
#include "config.h"

namespace postern {

namespace {

constexpr Driver kPassdbDrivers[] = {
    {"static", describe_static, open_static}, {"passwd-file", describe_passwd_file, open_passwd_file},
    {"sql", describe_sql, nullptr},           {"ldap", describe_ldap, nullptr},
    {"pam", describe_pam, nullptr},           {"passwd", describe_passwd, nullptr},
    {"shadow", describe_passwd, nullptr},
#ifdef HAVE_HIREDIS
    {"redis", describe_redis, nullptr},
#endif
#ifdef HAVE_CURL
    {"http", describe_http, nullptr},         {"oauth2", describe_oauth2, nullptr},
#endif
};

Result<DriverTraits> describe_prefetch(const DatabaseSettings& settings, DbKind) {
  if (!settings.args.empty()) return Error("args = " + settings.args + ": prefetch has none");
  DriverTraits traits;
  traits.prefetch = true;
  return traits;
}

constexpr Driver kUserdbDrivers[] = {
    {"static", describe_static, open_static}, {"passwd-file", describe_passwd_file, open_passwd_file},
    {"passwd", describe_passwd, nullptr},     {"sql", describe_sql, nullptr},
    {"ldap", describe_ldap, nullptr},
#ifdef HAVE_HIREDIS
    {"redis", describe_redis, nullptr},
#endif
    {"prefetch", describe_prefetch, nullptr},
};

}  // namespace

const Driver* find_driver(std::string_view name, DbKind kind) {
  const std::span<const Driver> drivers =
      kind == DbKind::Passdb ? std::span<const Driver>(kPassdbDrivers) : kUserdbDrivers;
  for (const Driver& d : drivers)
    if (d.name == name) return &d;
  return nullptr;
}

void add_uses(const Template& from, std::vector<VariableUse>& to) {
  from.for_each_use([&](Variable variable, const std::string& argument) {
    VariableUse use{variable, argument};
    if (std::find(to.begin(), to.end(), use) == to.end()) to.push_back(std::move(use));
  });
}

Status Database::iterate(const std::function<void(std::string_view)>&) { return Error("cannot list users"); }

void RowBuilder::add(std::string_view name, std::optional<std::string_view> value) {
  const bool literal = name == "password_noscheme";
  if (name == "password" || literal) {
    if (kind_ == DbKind::Userdb) return;
    if (row_.password) row_.why = "Multiple password values not supported";
    if (value && !row_.password) {
      row_.password.emplace(*value);
      row_.password_literal = literal;
    }
    password_seen_ = true;
  } else if (value) {
    row_.fields.emplace_back(name, *value);
  }
}

DbRow RowBuilder::take() {
  row_.result = LookupResult::Found;
  return std::move(row_);
}

}  // namespace postern
