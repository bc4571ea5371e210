#include "auth/db_sql_plan.h"

#include "base/text.h"
#include "crypt/schemes.h"

namespace postern {

namespace {

std::string setting(const DatabaseSettings& settings, const std::string& name) {
  const auto found = settings.driver_settings.find("sql_" + name);
  return found == settings.driver_settings.end() ? std::string() : found->second;
}

// Dialect and place.
Status take_place(const DatabaseSettings& settings, SqlPlan& plan) {
  const std::string driver = setting(settings, "driver"), connect = setting(settings, "connect");
  plan.dialect = find_sql_dialect(driver);
  if (plan.dialect == nullptr) return Error("sql_driver = " + driver + ": accepted: " + sql_dialect_names());
  if (connect.empty()) return Error("sql_connect is missing");
  auto parsed = SqlConnect::parse(*plan.dialect, connect);
  if (!parsed) return Error("sql_connect: " + parsed.error());
  plan.connect = std::move(*parsed);
  return {};
}

Status take_scheme(const DatabaseSettings& settings, SqlPlan& plan) {
  const std::string scheme = setting(settings, "default_pass_scheme");
  if (!scheme.empty()) plan.default_scheme = scheme;
  return is_known_scheme(plan.default_scheme) ? Status()
                                              : Error("sql_default_pass_scheme = " + scheme + ": unknown scheme");
}

std::string query_name(DbKind kind) { return kind == DbKind::Passdb ? "password_query" : "user_query"; }

Status take_query(const DatabaseSettings& settings, DbKind kind, SqlPlan& plan) {
  const std::string name = query_name(kind), query = setting(settings, name);
  if (query.empty()) return Error("sql_" + name + " is missing");
  auto bound = bind_sql(query, *plan.dialect);
  if (!bound) return Error("sql_" + name + ": " + bound.error());
  plan.query = std::move(*bound);
  if (plan.dialect->grammar == SqlGrammar::PgSql)
    plan.typed_query = bind_sql(query, *plan.dialect, SqlParameters::AsText)->text;
  return {};
}

Status take_iterate(const DatabaseSettings& settings, SqlPlan& plan) {
  const std::string query = setting(settings, "iterate_query");
  if (query.empty()) return {};
  auto bound = bind_sql(query, *plan.dialect);
  if (!bound) return Error("sql_iterate_query: " + bound.error());
  if (!bound->parameters.empty()) return Error("sql_iterate_query: has variables: it lists all users");
  plan.iterate = std::move(*bound);
  return {};
}

void add_warnings(const SqlStatement& query, const std::string& name, std::vector<std::string>& out) {
  for (const std::string& warning : query.warnings) out.push_back("sql_" + name + ": " + warning);
}

}  // namespace

Result<SqlPlan> SqlPlan::from(const DatabaseSettings& settings, DbKind kind) {
  SqlPlan plan;
  Status status = take_place(settings, plan);
  if (status) status = take_scheme(settings, plan);
  if (status) status = take_query(settings, kind, plan);
  if (status) status = take_iterate(settings, plan);
  if (!status) return Error(status.error());
  return plan;
}

Result<DriverTraits> describe_sql(const DatabaseSettings& settings, DbKind kind) {
  const auto plan = SqlPlan::from(settings, kind);
  if (!plan) return Error(plan.error());
  DriverTraits traits;
  traits.default_scheme = plan->default_scheme;
  traits.cacheable = true;
  for (const SqlParameter& p : plan->query.parameters) add_uses(p.value, traits.uses);
  add_warnings(plan->query, query_name(kind), traits.warnings);
  if (plan->iterate) add_warnings(*plan->iterate, "iterate_query", traits.warnings);
  return traits;
}

}  // namespace postern
