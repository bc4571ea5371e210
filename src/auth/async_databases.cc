#include "auth/async_databases.h"

#include <span>

#include "auth/db_http.h"
#include "auth/db_redis.h"
#include "config.h"

#ifdef HAVE_CURL
#include "auth/db_oauth2.h"
#endif

namespace postern {

namespace {

struct AsyncDriver {
  std::string_view name;
  Result<std::unique_ptr<AsyncDatabase>> (*open)(const DatabaseSettings& settings, DbKind kind,
                                                 const AsyncWorld& world);
};

constexpr AsyncDriver kAsyncDrivers[] = {
#ifdef HAVE_HIREDIS
    {"redis", open_redis},
#endif
#ifdef HAVE_CURL
    {"http", open_http},
    {"oauth2", open_oauth2},
#endif
    {"", nullptr},  // so that there is a row
};

Status open_list(const std::vector<DatabaseSettings>& blocks, DbKind kind, const AsyncWorld& world, PassdbList& list) {
  for (const auto& database : list.databases) {
    const DatabaseSettings& block = blocks[database->index];
    for (const AsyncDriver& driver : kAsyncDrivers) {
      if (driver.name != block.driver) continue;
      auto opened = driver.open(block, kind, world);
      if (!opened) return Error(block.where + ": " + block.name + ": " + opened.error());
      database->async = std::move(*opened);
    }
  }
  return {};
}

}  // namespace

Status open_async_databases(const Configuration& configuration, const AsyncWorld& world, AuthSettings& settings) {
  const Status steps[] = {open_list(configuration.passdbs, DbKind::Passdb, world, settings.users),
                          open_list(configuration.passdbs, DbKind::Passdb, world, settings.masters),
                          open_list(configuration.userdbs, DbKind::Userdb, world, settings.userdbs)};
  for (const Status& step : steps)
    if (!step) return Error(step.error());
  return {};
}

}  // namespace postern
