#include "auth/worker.h"

#include "config.h"

#ifdef HAVE_LDAP
#include "auth/db_ldap.h"
#endif
#ifdef HAVE_PAM
#include "auth/db_pam.h"
#endif
#include "auth/db_passwd.h"
#ifdef HAVE_SOCI
#include "auth/db_sql.h"
#endif
#include "crypt/schemes.h"

namespace postern {

namespace {

struct BlockingDriver {
  std::string_view name;
  Result<std::unique_ptr<Database>> (*open)(const DatabaseSettings& settings, DbKind kind);
};

Result<std::unique_ptr<Database>> not_built(const DatabaseSettings& settings, DbKind) {
  return Error("driver = " + settings.driver + ": not built in");
}

constexpr BlockingDriver kBlockingDrivers[] = {
#ifdef HAVE_SOCI
    {"sql", open_sql},
#else
    {"sql", not_built},
#endif
#ifdef HAVE_LDAP
    {"ldap", open_ldap},
#else
    {"ldap", not_built},
#endif
#ifdef HAVE_PAM
    {"pam", open_pam},
#else
    {"pam", not_built},
#endif
    {"passwd", open_passwd}, {"shadow", open_passwd},
};

Result<std::unique_ptr<Database>> open_blocking(const DatabaseSettings& settings, DbKind kind) {
  const Driver* driver = find_driver(settings.driver, kind);
  if (driver == nullptr) return not_built(settings, kind);
  for (const BlockingDriver& d : kBlockingDrivers)
    if (d.name == settings.driver) return d.open(settings, kind);
  return std::unique_ptr<Database>();
}

Status open_all(const std::vector<DatabaseSettings>& blocks, DbKind kind, std::vector<std::unique_ptr<Database>>& out) {
  for (const DatabaseSettings& settings : blocks) {
    auto database = open_blocking(settings, kind);
    if (!database) return Error(settings.where + ": " + settings.name + ": " + database.error());
    out.push_back(std::move(*database));
  }
  return {};
}

}  // namespace

std::string SentVariables::value(Variable variable, std::string_view argument) const {
  if (variable == Variable::Password) return lookup_.password ? std::string(lookup_.password->reveal()) : std::string();
  std::string name(name_of(variable));
  if (!argument.empty()) name.append(":").append(argument);
  for (const auto& [sent, value] : lookup_.variables)
    if (sent == name) return value;
  return {};
}

Result<WorkerService::Databases> WorkerService::open_databases(const Configuration& configuration) {
  Databases out;
  const Status steps[] = {open_all(configuration.passdbs, DbKind::Passdb, out.passdbs),
                          open_all(configuration.userdbs, DbKind::Userdb, out.userdbs)};
  for (const Status& step : steps)
    if (!step) return Error(step.error());
  return out;
}

Database* WorkerService::find(const WorkerLookup& lookup) {
  const auto& list = lookup.userdb ? databases_.userdbs : databases_.passdbs;
  return lookup.database < list.size() ? list[lookup.database].get() : nullptr;
}

WorkerRow WorkerService::answer(const WorkerLookup& lookup) {
  ++answered_;
  Database* database = find(lookup);
  DbRow row = database != nullptr ? database->lookup(SentVariables(lookup),
                                                     lookup.verify && lookup.password ? &*lookup.password : nullptr)
                                  : DbRow::broken("no such database in this auth-worker");
  WorkerRow out;
  out.id = lookup.id;
  out.result = row.result;
  out.why = std::move(row.why);
  out.has_password = row.password.has_value();
  out.password_literal = row.password_literal;
  if (row.password) out.password = std::move(*row.password);
  out.row = std::move(row.fields);
  out.check = row.check;
  worn_out_ |= database != nullptr && database->worn_out();
  out.retires = retired();
  return out;
}

WorkerVerdict WorkerService::answer(const WorkerVerify& verify) {
  ++answered_;
  Verification v = verify_password(verify.stored.reveal(), verify.password.reveal(), "CRYPT");
  WorkerVerdict out;
  out.id = verify.id;
  out.result = v.result;
  out.why = std::move(v.why);
  out.retires = retired();
  return out;
}

}  // namespace postern
