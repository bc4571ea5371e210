// Users in Redis: URIs, keys, and rows from replies (AUTH-22). The rest is t/system/redis_test.py, with real servers.
#include <gtest/gtest.h>

#include "auth/db_redis_plan.h"
#include "auth/fake_variables.h"
#include "config.h"

namespace postern {
namespace {

using Kind = RedisReply::Kind;

RedisReply text(std::string_view value) { return {.kind = Kind::Text, .text = SecretString(value)}; }

RedisReply hash(std::initializer_list<std::string_view> words) {
  RedisReply reply{.kind = Kind::Array};
  for (const std::string_view word : words) reply.items.push_back(text(word));
  return reply;
}

// "password | name=value name=value", or what else the row is.
std::string shown(const DbRow& row) {
  if (row.result == LookupResult::NotFound) return "unknown";
  if (row.result == LookupResult::Broken) return "broken: " + row.why;
  std::string out(row.password ? row.password->reveal() : std::string_view("-"));
  out += " |";
  for (const auto& [name, value] : row.fields) out += " " + name + "=" + value;
  return out;
}

std::string uris(std::string_view given) {
  const auto servers = parse_redis_uris(given);
  if (!servers) return "ERROR " + servers.error();
  std::string out;
  for (const RedisServer& s : *servers)
    out += s.text() + " " + std::to_string(s.database) + " " + s.user + ":" + std::string(s.password.reveal()) + ";";
  return out;
}

TEST(RedisUri, Forms) {
  EXPECT_EQ(uris("redis://redis.test"), "redis.test:6379 0 :;");
  EXPECT_EQ(uris("redis://192.0.2.1:7000/15"), "192.0.2.1:7000 15 :;");
  EXPECT_EQ(uris("REDIS://[2001:db8::1]:7000/"), "[2001:db8::1]:7000 0 :;");
  EXPECT_EQ(uris("redis://[2001:db8::1]"), "[2001:db8::1]:6379 0 :;");
  EXPECT_EQ(uris("redis://:p%40ss@a/2"), "a:6379 2 :p@ss;");
  EXPECT_EQ(uris("redis://joe:p:a@ss@a"), "a:6379 0 joe:p:a@ss;");
  EXPECT_EQ(uris("unix:///run/redis.sock"), "/run/redis.sock 0 :;");
  EXPECT_EQ(uris("unix://:secret@/run/redis.sock?db=3"), "/run/redis.sock 3 :secret;");
  EXPECT_EQ(uris("redis://a, redis://b:1 unix:///c"), "a:6379 0 :;b:1 0 :;/c 0 :;");
}

TEST(RedisUri, WhatIsWrongIsSaidWithoutThePassword) {
  for (const char* given :
       {"", "a", "rediss://:secret@a", "redis://", "redis://:secret@", "redis://:secret@a:0", "redis://:secret@a:x",
        "redis://:sec%ret@a", "redis://secret@a", "redis://:@a", "redis://:secret@a/x", "redis://[::1", "unix://run/x",
        "unix:///x?secret=1", "unix:///x?db=-1"}) {
    const std::string said = uris(given);
    EXPECT_TRUE(said.starts_with("ERROR ")) << given;
    EXPECT_EQ(said.find("secret"), std::string::npos) << said;
  }
  EXPECT_NE(uris("redis://a rediss://b").find("server 2: Redis over TLS"), std::string::npos);
}

RedisPlan plan(std::map<std::string, std::string> settings) {
  DatabaseSettings block;
  block.driver_settings = {settings.begin(), settings.end()};
  block.driver_settings.emplace("redis_uri", "redis://a");
  auto made = RedisPlan::from(block);
  EXPECT_TRUE(made) << made.error();
  return std::move(*made);
}

TEST(RedisPlan, Keys) {
  EXPECT_EQ(plan({}).key_for(FakeVariables("joe")), "postern:user:joe");
  EXPECT_EQ(plan({{"redis_key", "u/%Ld/%n"}}).key_for(FakeVariables()), "u/example.org/Joe");
  EXPECT_EQ(plan({}).key_for(FakeVariables("a b\r\n*{}\xff")), "postern:user:a b\r\n*{}\xff");
  EXPECT_FALSE(plan({}).key_for(FakeVariables(std::string(1020, 'x')))) << "no key is that long";
  EXPECT_FALSE(plan({{"redis_key", "%d"}}).key_for(FakeVariables("joe")));
}

TEST(RedisPlan, Defaults) {
  EXPECT_EQ(plan({}).format->command, "HGETALL");
  EXPECT_EQ(plan({{"redis_format", "json"}}).format->command, "GET");
  EXPECT_EQ(plan({}).default_scheme, "CRYPT");
  EXPECT_EQ(plan({{"redis_timeout", "300 msecs"}}).timeout, Milliseconds(300));
}

TEST(RedisRow, Hash) {
  EXPECT_EQ(shown(redis_hash_row(hash({"password", "{PLAIN}x", "host", "a", "proxy", ""}), DbKind::Passdb)),
            "{PLAIN}x | host=a proxy=");
  EXPECT_EQ(shown(redis_hash_row(hash({"nopassword", "y"}), DbKind::Passdb)), "- | nopassword=y");
  EXPECT_EQ(shown(redis_hash_row(hash({}), DbKind::Passdb)), "unknown");
  EXPECT_EQ(shown(redis_hash_row(hash({"a"}), DbKind::Passdb)),
            "broken: the server's reply is not made of fields and values");
  EXPECT_EQ(shown(redis_hash_row(text("x"), DbKind::Passdb)), "broken: the server's reply is of another type");
  EXPECT_EQ(shown(redis_hash_row({.kind = Kind::Error, .text = SecretString("WRONGTYPE secret")}, DbKind::Passdb)),
            "broken: the server says WRONGTYPE");
  EXPECT_TRUE(shown(redis_hash_row(hash({"a\nb", "x"}), DbKind::Passdb)).starts_with("broken: a field's name"));
  EXPECT_TRUE(shown(redis_hash_row(hash({"", "x"}), DbKind::Passdb)).starts_with("broken: a field's name"));
}

TEST(RedisRow, OneRecordForBothLists) {
  const RedisReply both = hash({"password", "x", "host", "a", "userdb_uid", "vmail", "userdb_home", "/h"});
  EXPECT_EQ(shown(redis_hash_row(both, DbKind::Passdb)), "x | host=a userdb_uid=vmail userdb_home=/h");
  EXPECT_EQ(shown(redis_hash_row(both, DbKind::Userdb)), "- | uid=vmail home=/h");
  EXPECT_EQ(shown(redis_hash_row(hash({"uid", "vmail", "password", "x"}), DbKind::Userdb)), "- | uid=vmail");
}

TEST(RedisRow, Json) {
  EXPECT_EQ(
      shown(json_row(
          R"({"password": "{PLAIN}\u00e4", "proxy": true, "port": 143, "nologin": false, "pass": null, "x": 1.5})",
          DbKind::Passdb)),
      "{PLAIN}\xc3\xa4 | proxy=yes port=143 x=1.5");
  EXPECT_EQ(shown(json_row(R"({"password": null, "nopassword": true})", DbKind::Passdb)), "- | nopassword=yes");
  EXPECT_EQ(shown(json_row("{}", DbKind::Passdb)), "- |");
  EXPECT_EQ(shown(redis_json_row({}, DbKind::Passdb)), "unknown");
  EXPECT_EQ(shown(redis_json_row({.kind = Kind::Integer}, DbKind::Passdb)),
            "broken: the server's reply is of another type");
  for (const char* bad :
       {"", "secret", "{\"a\": \"secret\"", "{\"a\": \"secret\"} x", "[\"secret\"]", "\"secret\"",
        "{\"a\": [\"secret\"]}", "{\"a\": \"\xff\"}", "{\"\": \"secret\"}", "{\"a\\n\": \"secret\"}"}) {
    const std::string said = shown(json_row(bad, DbKind::Passdb));
    EXPECT_TRUE(said.starts_with("broken: ")) << bad;
    EXPECT_EQ(said.find("secret"), std::string::npos) << said;
  }
}

#ifdef HAVE_HIREDIS
TEST(RedisProtocol, CommandsAreMadeOfArgumentsOfAnyBytes) {
  const std::string_view words[] = {"GET", std::string_view("a b\r\n\0$", 7), ""};
  EXPECT_EQ(redis_command(words).reveal(), std::string_view("*3\r\n$3\r\nGET\r\n$7\r\na b\r\n\0$\r\n$0\r\n\r\n", 32));
}

std::string shown(const RedisReply& reply) {
  if (reply.kind == Kind::Nil) return "nil";
  if (reply.kind == Kind::Integer) return std::to_string(reply.integer);
  if (reply.kind != Kind::Array) return std::string(reply.is_error() ? "!" : "") + std::string(reply.text.reveal());
  std::string out = "(";
  for (const RedisReply& item : reply.items) out += shown(item) + ",";
  return out + ")";
}

// All replies of these bytes, fed in pieces of `step`.
std::string read_all(std::string_view bytes, size_t step, size_t max = 1000) {
  RedisReader reader(max);
  std::string out;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(step, bytes.size()))) {
    if (!reader.feed(bytes.substr(0, step))) return out + "bad";
    for (;;) {
      auto reply = reader.next();
      if (!reply) return out + reply.error();
      if (!*reply) break;
      out += shown(**reply) + ";";
    }
  }
  return out;
}

TEST(RedisProtocol, RepliesInAnyPieces) {
  constexpr std::string_view kBytes =
      "+OK\r\n-ERR "
      "no\r\n:-5\r\n$-1\r\n$3\r\na\nb\r\n*2\r\n*2\r\n$1\r\nx\r\n:1\r\n*0\r\n*3\r\n$-1\r\n+a\r\n*1\r\n:2\r\n";
  for (size_t step = 1; step <= kBytes.size(); ++step)
    EXPECT_EQ(read_all(kBytes, step), "OK;!ERR no;-5;nil;a\nb;((x,1,),(),);(nil,a,(2,),);") << step;
}

TEST(RedisProtocol, Limits) {
  EXPECT_EQ(read_all("HTTP/1.1 400\r\n", 100), "this is not Redis' protocol");
  EXPECT_EQ(read_all("$2000\r\n" + std::string(1500, 'x'), 100), "the reply is too long");
  EXPECT_EQ(read_all("+" + std::string(1500, 'x'), 100), "the reply is too long");
  std::string many;
  for (int i = 0; i < 500; ++i) many += "+OK\r\n";
  EXPECT_EQ(read_all(many, 100).size(), 1500u) << "each is short";
  EXPECT_EQ(read_all("*2147483647\r\n", 100), "") << "costs nothing yet";
  EXPECT_EQ(read_all("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", 100),
            "this is not Redis' protocol")
      << "too deep";
}
#endif

}  // namespace
}  // namespace postern
