#include "auth/db_redis.h"

#include "auth/db_redis_plan.h"
#include "net/redis_client.h"

namespace postern {

namespace {

constexpr size_t kMaxRecord = 256 * 1024;

RedisClient::Options options_of(const RedisPlan& plan) {
  return {.servers = plan.servers,
          .connect_timeout = plan.connect_timeout,
          .timeout = plan.timeout,
          .max_commands = plan.max_commands,
          .max_reply = kMaxRecord};
}

// Each block has a connection of its own: a server that hangs keeps nobody else's look-ups.
class RedisDatabase final : public AsyncDatabase {
 public:
  RedisDatabase(RedisPlan plan, DbKind kind, const AsyncWorld& world)
      : plan_(std::move(plan)),
        kind_(kind),
        loop_(world.loop),
        client_(world.loop, world.resolver, options_of(plan_)) {}

  void lookup(const AsyncLookup& what, Done done) override {
    const auto key = plan_.key_for(what.variables);
    if (!key) return loop_.defer([done = std::move(done)] { done(DbRow::not_found()); });
    const std::string_view words[] = {plan_.format->command, *key};
    client_.send(words, [row = plan_.format->row, kind = kind_, done = std::move(done)](Result<RedisReply> reply) {
      done(reply ? row(*reply, kind) : DbRow::broken(reply.error()));
    });
  }

 private:
  RedisPlan plan_;
  DbKind kind_;
  Loop& loop_;
  RedisClient client_;
};

}  // namespace

Result<std::unique_ptr<AsyncDatabase>> open_redis(const DatabaseSettings& settings, DbKind kind,
                                                  const AsyncWorld& world) {
  auto plan = RedisPlan::from(settings);
  if (!plan) return Error(plan.error());
  return std::unique_ptr<AsyncDatabase>(std::make_unique<RedisDatabase>(std::move(*plan), kind, world));
}

}  // namespace postern
