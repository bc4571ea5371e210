// The cache by itself: keys, room, life of entries.
#include "auth/cache.h"

#include <gtest/gtest.h>

#include "crypt/digest.h"

namespace postern {
namespace {

using namespace std::string_literals;
using std::chrono::seconds;

DbRow found(std::optional<std::string> password, FieldList fields = {}) {
  DbRow row;
  row.result = LookupResult::Found;
  if (password) row.password.emplace(*password);
  row.fields = std::move(fields);
  return row;
}

TEST(KeyedDigest, TestCaseOfRfc4231) {
  std::array<char, 32> out{};
  ASSERT_TRUE(keyed_digest("Jefe", "what do ya want for nothing?", out));
  EXPECT_EQ(hex_encode({out.data(), out.size()}), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_TRUE(keyed_digest("Jefe", {}, out));
}

class Cache : public testing::Test {
 protected:
  static CacheSettings settings(size_t size = 64 * 1024) { return {size, seconds(3600), seconds(60), false}; }
  AuthCache::Key key(const std::string& name) { return cache_.key(CacheKey().add(name)); }
  bool has(const std::string& name) { return cache_.find(key(name)) != nullptr; }

  AuthCache cache_{settings()};
  Instant now_ = Instant() + seconds(100'000);
};

TEST_F(Cache, ARowComesBackAsItWas) {  // AUTH-37
  DbRow row = found("{PLAIN}pw", {{"host:default", "10.0.0.1"}, {"empty", ""}, {"x", "a\0b\tc"s}});
  row.password_literal = true;
  cache_.put(key("joe"), "joe", row, now_);
  const DbRow out = cache_.find(key("joe"))->row();
  EXPECT_EQ(out.result, LookupResult::Found);
  EXPECT_EQ(out.password->reveal(), "{PLAIN}pw");
  EXPECT_TRUE(out.password_literal);
  EXPECT_EQ(out.fields, row.fields);
  EXPECT_EQ(out.check, PasswordCheck::None);
  cache_.put(key("null"), "null", found(std::nullopt, {{"nopassword", "y"}}), now_);
  EXPECT_FALSE(cache_.find(key("null"))->row().password);
  cache_.put(key("nobody"), "nobody", DbRow::not_found(), now_);
  EXPECT_EQ(cache_.find(key("nobody"))->row().result, LookupResult::NotFound);
}

// AUTH-35: parts of a key never run into one another.
TEST_F(Cache, KeysDoNotCollide) {
  const std::vector<std::vector<std::string>> parts = {
      {"a", "b"}, {"ab"}, {"a", "", "b"}, {"a\tb"}, {"a\0b"s},      {"", "ab"}, {"ab", ""}, {"a"},
      {"a\0"s},   {},     {""},           {"", ""}, {"\1\0\0\0b"s},
  };
  std::vector<AuthCache::Key> keys;
  for (const auto& list : parts) {
    CacheKey material;
    for (const std::string& part : list) material.add(part);
    keys.push_back(cache_.key(material));
    EXPECT_TRUE(keys.back().valid);
  }
  for (size_t i = 0; i < keys.size(); ++i)
    for (size_t j = 0; j < i; ++j) EXPECT_FALSE(keys[i] == keys[j]) << i << " " << j;
  EXPECT_EQ(cache_.key(CacheKey().add("a\tb")), cache_.key(CacheKey().add("a\tb")));
  AuthCache other(settings());
  EXPECT_FALSE(other.key(CacheKey().add("a")) == key("a"));  // each process has its own
}

TEST_F(Cache, LifeOfEntries) {
  cache_.put(key("joe"), "joe", found("x"), now_);
  cache_.put(key("nobody"), "nobody", DbRow::not_found(), now_);
  EXPECT_TRUE(cache_.is_fresh(*cache_.find(key("joe")), now_ + seconds(3599)));
  EXPECT_FALSE(cache_.is_fresh(*cache_.find(key("joe")), now_ + seconds(3600)));
  EXPECT_TRUE(cache_.is_fresh(*cache_.find(key("nobody")), now_ + seconds(59)));
  EXPECT_FALSE(cache_.is_fresh(*cache_.find(key("nobody")), now_ + seconds(60)));
  cache_.expire(key("joe"), now_);
  EXPECT_FALSE(cache_.is_fresh(*cache_.find(key("joe")), now_));
}

TEST_F(Cache, WhatIsNotKept) {
  cache_.put(key("joe"), "joe", found("x"), now_);
  EXPECT_EQ(cache_.put(key("joe"), "joe", DbRow::broken("down"), now_), 0u);
  EXPECT_FALSE(has("joe"));
  EXPECT_EQ(cache_.put(key("big"), "big", found(std::string(70'000, 'x')), now_), 0u);
  EXPECT_FALSE(has("big"));
  EXPECT_EQ(cache_.put(AuthCache::Key(), "joe", found("x"), now_), 0u);
  EXPECT_EQ(cache_.status().entries, 0u);
  EXPECT_EQ(cache_.status().used, 0u);
  AuthCache no_negative({64 * 1024, seconds(3600), seconds(0), false});
  const auto nobody = no_negative.key(CacheKey().add("nobody"));
  no_negative.put(nobody, "nobody", DbRow::not_found(), now_);
  EXPECT_EQ(no_negative.find(nobody), nullptr);
}

// AUTH-34: bytes are counted, those used last stay.
TEST_F(Cache, RoomIsMadeByGivingUpTheOldest) {
  const std::string large(1000, 'x');
  for (int i = 0; i < 200; ++i) {
    cache_.put(key(std::to_string(i)), std::to_string(i), found(large), now_);
    ASSERT_LE(cache_.status().used, 64u * 1024);
    EXPECT_TRUE(has("0")) << i;  // used all the time
  }
  EXPECT_TRUE(has("199"));
  EXPECT_FALSE(has("1"));
  const CacheStatus status = cache_.status();
  EXPECT_EQ(status.entries + status.evicted, 200u);
  EXPECT_GT(status.entries, 30u);
  EXPECT_GE(status.used, status.entries * 1000);
}

TEST_F(Cache, GuessedNamesPushOutNobody) {
  for (int i = 0; i < 20; ++i) cache_.put(key(std::to_string(i)), std::to_string(i), found("x"), now_);
  for (int i = 0; i < 1000; ++i)
    cache_.put(key("guess" + std::to_string(i)), "guess" + std::to_string(i), DbRow::not_found(), now_);
  EXPECT_TRUE(has("0"));
  EXPECT_TRUE(has("guess999"));
  EXPECT_FALSE(has("guess0"));
  EXPECT_LE(cache_.status().used, 64u * 1024);
  cache_.put(key("guess999"), "guess999", found("x"), now_);  // there is one now
  EXPECT_TRUE(cache_.find(key("guess999"))->found());
  EXPECT_EQ(cache_.flush({}), 1020u - cache_.status().evicted);
  EXPECT_EQ(cache_.status().used, 0u);
}

TEST_F(Cache, FlushByWildcards) {  // AUTH-39
  for (const std::string user : {"ann@a", "bob@a", "bob@b"}) cache_.put(key(user), user, found("x"), now_);
  cache_.put(key("U"
                 "bob@b"),
             "bob@b", DbRow::not_found(), now_);
  EXPECT_EQ(cache_.flush(std::vector<std::string>{"nobody", "*@c"}), 0u);
  EXPECT_EQ(cache_.flush(std::vector<std::string>{"*@b", "ann*"}), 3u);
  EXPECT_TRUE(has("bob@a"));
  EXPECT_EQ(cache_.flush({}), 1u);
  EXPECT_EQ(cache_.status().used, 0u);
}

TEST_F(Cache, DigestOfTheRightPassword) {
  const uint64_t serial = cache_.put(key("joe"), "joe", found("$6$hash"), now_);
  EXPECT_FALSE(cache_.matches(*cache_.find(key("joe")), SecretString("right")));
  cache_.matched(key("joe"), serial, nullptr);
  EXPECT_FALSE(cache_.find(key("joe"))->has_digest());
  const SecretString right("right");
  cache_.matched(key("joe"), serial + 1, &right);  // right by an answer that has been replaced
  EXPECT_FALSE(cache_.find(key("joe"))->has_digest());
  cache_.matched(key("joe"), serial, &right);
  EXPECT_TRUE(cache_.matches(*cache_.find(key("joe")), right));
  EXPECT_FALSE(cache_.matches(*cache_.find(key("joe")), SecretString("Right")));
  cache_.put(key("joe"), "joe", found("$6$hash", {{"host", "other"}}), now_);  // the same password
  EXPECT_TRUE(cache_.matches(*cache_.find(key("joe")), right));
  cache_.put(key("joe"), "joe", found("$6$other"), now_);
  EXPECT_FALSE(cache_.find(key("joe"))->has_digest());
}

TEST_F(Cache, NoDigestsWhereWorkersVerify) {
  AuthCache cache({64 * 1024, seconds(3600), seconds(60), true});
  const auto joe = cache.key(CacheKey().add("joe")), ann = cache.key(CacheKey().add("ann"));
  const SecretString right("right");
  cache.matched(joe, cache.put(joe, "joe", found("$6$hash"), now_), &right);
  EXPECT_FALSE(cache.find(joe)->has_digest());
  cache.matched(ann, cache.put(ann, "ann", found(std::nullopt), now_),
                &right);  // her database has no hash to compare with
  EXPECT_TRUE(cache.find(ann)->has_digest());
}

// AUTH-38: once per success, and once per auth_cache_negative_ttl.
TEST_F(Cache, WhenAnotherPasswordIsAskedFor) {
  const SecretString right("right");
  const uint64_t serial = cache_.put(key("joe"), "joe", found("x"), now_);
  EXPECT_FALSE(cache_.asks_again(key("joe"), now_));
  cache_.matched(key("joe"), serial, &right);
  EXPECT_TRUE(cache_.asks_again(key("joe"), now_));
  EXPECT_FALSE(cache_.asks_again(key("joe"), now_));
  EXPECT_FALSE(cache_.asks_again(key("joe"), now_ + seconds(59)));
  EXPECT_TRUE(cache_.asks_again(key("joe"), now_ + seconds(60)));
  EXPECT_FALSE(cache_.asks_again(key("joe"), now_ + seconds(61)));
  cache_.unanswered(key("joe"));
  EXPECT_TRUE(cache_.asks_again(key("joe"), now_ + seconds(62)));
  cache_.mismatched(key("joe"), now_ + seconds(70));
  EXPECT_FALSE(cache_.asks_again(key("joe"), now_ + seconds(129)));
  EXPECT_TRUE(cache_.asks_again(key("joe"), now_ + seconds(130)));
  EXPECT_TRUE(cache_.asks_again(key("nobody"), now_));  // gone meanwhile
}

}  // namespace
}  // namespace postern
