#include "auth/db_redis_plan.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "conf/values.h"
#include "crypt/schemes.h"

namespace postern {

namespace {

constexpr std::string_view kDefaultKey = "postern:user:%u";  // DECISIONS section 6: our prefix
constexpr size_t kMaxKey = 1024;
constexpr size_t kMaxFields = 256;
constexpr size_t kMaxName = 128;
constexpr std::string_view kUserdbPrefix = "userdb_";

constexpr RedisFormat kFormats[] = {{"hash", "HGETALL", redis_hash_row}, {"json", "GET", redis_json_row}};

// --- rows --------------------------------------------------------------------

// One record serves both lists: a userdb takes the fields with the prefix, and all when none has it.
class Record {
 public:
  // `value` none: NULL.
  void add(std::string_view name, std::optional<std::string_view> value) {
    if (name.empty() || name.size() > kMaxName || has_control(name) || fields_.size() >= kMaxFields) bad_ = true;
    else fields_.emplace_back(name, value);
  }

  DbRow row(DbKind kind) const {
    if (bad_)
      return DbRow::broken("a field's name is empty, too long or has control characters, or there are too many fields");
    const bool prefixed = kind == DbKind::Userdb && std::any_of(fields_.begin(), fields_.end(), [](const Field& f) {
                            return istarts_with(f.first, kUserdbPrefix);
                          });
    RowBuilder row(kind);
    for (const auto& [name, value] : fields_) {
      if (!prefixed) row.add(name, value);
      else if (istarts_with(name, kUserdbPrefix)) row.add(name.substr(kUserdbPrefix.size()), value);
    }
    return row.take();
  }

 private:
  using Field = std::pair<std::string_view, std::optional<std::string_view>>;
  std::vector<Field> fields_;
  bool bad_ = false;
};

// What can be said before looking into a reply.
std::optional<DbRow> row_of_other(const RedisReply& reply, RedisReply::Kind wanted) {
  if (reply.kind == RedisReply::Kind::Nil) return DbRow::not_found();
  if (reply.is_error()) return DbRow::broken("the server says " + printable(reply.error_code(), 40));
  if (reply.kind != wanted) return DbRow::broken("the server's reply is of another type");
  return std::nullopt;
}

// --- JSON --------------------------------------------------------------------

using Json = nlohmann::ordered_json;

// A false field is one that is not there: fields without meaningful value are true when present (FLD-1).
std::string text_of(const Json& value) { return value.is_boolean() ? "yes" : value.dump(); }

DbRow object_row(const Json& object, DbKind kind) {
  std::vector<std::string> texts;  // of what is no string
  texts.reserve(object.size());
  Record record;
  for (const auto& [name, value] : object.items()) {
    if (value.is_structured()) return DbRow::broken("field " + printable(name, 40) + " is an object or an array");
    if (value.is_string()) record.add(name, value.get_ref<const std::string&>());
    else if (value.is_null()) record.add(name, std::nullopt);
    else if (value.is_number() || value.get<bool>()) record.add(name, texts.emplace_back(text_of(value)));
  }
  return record.row(kind);
}

// --- settings ----------------------------------------------------------------

std::string_view setting(const DatabaseSettings& settings, const std::string& name) {
  const auto found = settings.driver_settings.find("redis_" + name);
  return found == settings.driver_settings.end() ? std::string_view() : found->second;
}

Status take_time(const DatabaseSettings& settings, const std::string& name, Milliseconds& target) {
  constexpr int64_t kLongest = 60'000;
  const std::string_view text = setting(settings, name);
  if (text.empty()) return {};
  const auto time = parse_time(text);
  if (!time) return Error("redis_" + name + " " + time.error());
  if (*time < 1 || *time > kLongest)
    return Error("redis_" + name + " = " + std::string(text) + ": accepted: up to 60 secs");
  target = Milliseconds(*time);
  return {};
}

Status take_key(const DatabaseSettings& settings, Template& key) {
  const std::string_view text = setting(settings, "key");
  auto compiled = Template::compile(text.empty() ? kDefaultKey : text);
  if (!compiled) return Error("redis_key: " + compiled.error());
  if (compiled->uses(Variable::Password)) return Error("redis_key: a key has no password in it");
  key = std::move(*compiled);
  return {};
}

Status take_format(const DatabaseSettings& settings, RedisPlan& plan) {
  const std::string_view name = setting(settings, "format");
  const auto* found = std::find_if(std::begin(kFormats), std::end(kFormats),
                                   [&](const RedisFormat& f) { return f.name == (name.empty() ? "hash" : name); });
  if (found == std::end(kFormats)) return Error("redis_format = " + printable(name, 40) + ": accepted: hash, json");
  plan.format = found;
  return {};
}

Status take_scheme(const DatabaseSettings& settings, RedisPlan& plan) {
  const std::string_view scheme = setting(settings, "default_pass_scheme");
  if (!scheme.empty()) plan.default_scheme = scheme;
  if (!is_known_scheme(plan.default_scheme))
    return Error("redis_default_pass_scheme = " + std::string(scheme) + ": unknown scheme");
  return {};
}

Status take_limit(const DatabaseSettings& settings, RedisPlan& plan) {
  const std::string_view text = setting(settings, "max_requests");
  const auto number = parse_number(text.empty() ? std::string_view("1000") : text, 100'000);
  if (!number || *number == 0)
    return Error("redis_max_requests = " + std::string(text) + ": accepted: a number from 1 to 100000");
  plan.max_commands = *number;
  return {};
}

}  // namespace

DbRow redis_hash_row(const RedisReply& reply, DbKind kind) {
  if (auto row = row_of_other(reply, RedisReply::Kind::Array)) return std::move(*row);
  if (reply.items.empty()) return DbRow::not_found();
  if (reply.items.size() % 2 != 0) return DbRow::broken("the server's reply is not made of fields and values");
  Record record;
  for (size_t i = 0; i < reply.items.size(); i += 2) {
    const RedisReply &name = reply.items[i], &value = reply.items[i + 1];
    if (name.kind != RedisReply::Kind::Text || value.kind != RedisReply::Kind::Text)
      return DbRow::broken("the server's reply is not made of texts");
    record.add(name.text.reveal(), value.text.reveal());
  }
  return record.row(kind);
}

DbRow redis_json_row(const RedisReply& reply, DbKind kind) {
  if (auto row = row_of_other(reply, RedisReply::Kind::Text)) return std::move(*row);
  return json_row(reply.text.reveal(), kind);
}

DbRow json_row(std::string_view text, DbKind kind) {
  const Json object = Json::parse(text, nullptr, false);
  if (object.is_discarded()) return DbRow::broken("the value is not JSON");
  if (!object.is_object()) return DbRow::broken("the value is no JSON object");
  return object_row(object, kind);
}

Result<RedisPlan> RedisPlan::from(const DatabaseSettings& settings) {
  if (!settings.args.empty()) return Error("args: redis has none; see redis_uri");
  RedisPlan plan;
  const std::string_view uri = setting(settings, "uri");
  if (uri.empty()) return Error("redis_uri is missing");
  auto servers = parse_redis_uris(uri);
  if (!servers) return Error("redis_uri: " + servers.error());
  plan.servers = std::move(*servers);
  const Status steps[] = {take_key(settings, plan.key),
                          take_format(settings, plan),
                          take_scheme(settings, plan),
                          take_limit(settings, plan),
                          take_time(settings, "connect_timeout", plan.connect_timeout),
                          take_time(settings, "timeout", plan.timeout)};
  for (const Status& step : steps)
    if (!step) return Error(step.error());
  return plan;
}

std::optional<std::string> RedisPlan::key_for(const Variables& variables) const {
  std::string out = key.expand(variables);
  if (out.empty() || out.size() > kMaxKey) return std::nullopt;
  return out;
}

Result<DriverTraits> describe_redis(const DatabaseSettings& settings, DbKind) {
  const auto plan = RedisPlan::from(settings);
  if (!plan) return Error(plan.error());
  DriverTraits traits;
  traits.default_scheme = plan->default_scheme;
  add_uses(plan->key, traits.uses);
  traits.cacheable = true;
  return traits;
}

}  // namespace postern
