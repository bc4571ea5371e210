#include "auth/chain.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace postern {
namespace {

using R = PassResult;
using Rule = ChainRule;

// Walks over `entries`, giving `results` to the databases in the order they are asked; "asked" lists their indexes.
struct Outcome {
  PassResult verdict;
  std::string asked;
  bool verified;
};
Outcome walk(const std::vector<ChainEntry>& entries, std::vector<PassResult> results, ChainState state = {}) {
  ChainWalk w(entries, state);
  Outcome out{};
  size_t n = 0;
  while (const auto i = w.next("PLAIN", "joe@example.org")) {
    out.asked += std::to_string(*i);
    w.take(results.at(n++));
  }
  EXPECT_EQ(n, results.size());
  out.verdict = w.verdict();
  out.verified = w.state().password_verified;
  return out;
}

ChainEntry entry(Rule success = Rule::ReturnOk, Rule failure = Rule::Continue, Rule internal = Rule::Continue) {
  ChainEntry e;
  e.success = success;
  e.failure = failure;
  e.internal_failure = internal;
  return e;
}

// AUTH-2, one database: verdict for each rule and result.
struct OneCase {
  Rule rule;
  R on_ok, on_mismatch, on_internal;
};
TEST(Chain, OneDatabaseEveryRule) {
  constexpr OneCase kCases[] = {
      {Rule::ReturnOk, R::Ok, R::Ok, R::Ok},
      {Rule::Return, R::Mismatch, R::Mismatch, R::Internal},  // AUTH-3a: S was never set
      {Rule::ReturnFail, R::Mismatch, R::Mismatch, R::Internal},
      {Rule::Continue, R::Mismatch, R::Mismatch, R::Internal},
      {Rule::ContinueOk, R::Ok, R::Ok, R::Ok},
      {Rule::ContinueFail, R::Mismatch, R::Mismatch, R::Internal},
  };
  for (const OneCase& c : kCases) {
    const std::vector<ChainEntry> entries{entry(c.rule, c.rule, c.rule)};
    EXPECT_EQ(walk(entries, {R::Ok}).verdict, c.on_ok) << int(c.rule);
    EXPECT_EQ(walk(entries, {R::Mismatch}).verdict, c.on_mismatch) << int(c.rule);
    EXPECT_EQ(walk(entries, {R::Internal}).verdict, c.on_internal) << int(c.rule);
  }
}

// Two databases: what the first result and its rule do to the second.
struct TwoCase {
  const char* what;
  ChainEntry first;
  std::vector<R> results;
  R verdict;
  const char* asked;
  bool verified;
};
TEST(Chain, TwoDatabases) {
  const TwoCase cases[] = {
      {"ok ends", entry(), {R::Ok}, R::Ok, "0", false},
      {"mismatch goes on", entry(), {R::Mismatch, R::Ok}, R::Ok, "01", false},
      {"unknown goes on", entry(), {R::UnknownUser, R::Mismatch}, R::Mismatch, "01", false},
      {"unknown scheme goes on", entry(), {R::UnknownScheme, R::UnknownUser}, R::UnknownUser, "01", false},
      {"a dead database may have had the right password",
       entry(),
       {R::Internal, R::Mismatch},
       R::Internal,
       "01",
       false},
      {"dead, but the next one knows", entry(), {R::Internal, R::Ok}, R::Ok, "01", false},
      {"dead last one", entry(), {R::Mismatch, R::Internal}, R::Internal, "01", false},
      {"return stops", entry(Rule::ReturnOk, Rule::Return), {R::Mismatch}, R::Mismatch, "0", false},
      {"internal returns", entry(Rule::ReturnOk, Rule::Continue, Rule::Return), {R::Internal}, R::Internal, "0", false},
      {"continue verifies", entry(Rule::Continue), {R::Ok, R::Ok}, R::Ok, "01", true},
      {"continue needs another ok", entry(Rule::Continue), {R::Ok, R::UnknownUser}, R::UnknownUser, "01", true},
      {"continue-ok keeps S", entry(Rule::ContinueOk), {R::Ok, R::UnknownUser}, R::Ok, "01", true},
      {"AUTH-3b: continue-ok of a failure verifies",
       entry(Rule::ReturnOk, Rule::ContinueOk),
       {R::Mismatch, R::Mismatch},
       R::Ok,
       "01",
       true},
      {"continue-fail clears S", entry(Rule::ContinueFail), {R::Ok, R::Mismatch}, R::Mismatch, "01", false},
      {"disabled: rules do not apply", entry(Rule::ReturnOk, Rule::ContinueOk), {R::Disabled}, R::Disabled, "0", false},
      {"expired: rules do not apply", entry(Rule::ReturnOk, Rule::ContinueOk), {R::Expired}, R::Expired, "0", false},
      {"noauthenticate goes on whatever the rule",
       entry(Rule::ReturnOk, Rule::Return),
       {R::Next, R::Ok},
       R::Ok,
       "01",
       false},
      {"noauthenticate last", entry(), {R::Mismatch, R::Next}, R::Internal, "01", false},
  };
  for (const TwoCase& c : cases) {
    const Outcome out = walk({c.first, entry()}, c.results);
    EXPECT_EQ(out.verdict, c.verdict) << c.what;
    EXPECT_EQ(out.asked, c.asked) << c.what;
    EXPECT_EQ(out.verified, c.verified) << c.what;
  }
}

TEST(Chain, DenyListsUsers) {
  ChainEntry deny = entry();
  deny.deny = true;
  EXPECT_EQ(walk({deny, entry()}, {R::Mismatch}).verdict, R::Disabled);
  EXPECT_EQ(walk({deny, entry()}, {R::Ok}).verdict, R::Disabled);
  EXPECT_EQ(walk({deny, entry()}, {R::Internal}).verdict, R::Internal);
  EXPECT_EQ(walk({deny, entry()}, {R::UnknownUser, R::Ok}).verdict, R::Ok);
}

TEST(Chain, AllSkippedIsInternal) {  // AUTH-3c
  ChainEntry e = entry();
  e.mechanisms = {"CRAM-MD5"};
  ChainWalk w(std::span(&e, 1));
  EXPECT_FALSE(w.next("PLAIN", "joe"));
  EXPECT_TRUE(w.all_skipped());
  EXPECT_EQ(w.verdict(), R::Internal);
  EXPECT_EQ(walk({}, {}).verdict, R::Internal);
}

TEST(Chain, SkippedIsNotFailed) {
  ChainEntry other = entry();
  other.username_filter = {"*@example.net"};
  EXPECT_EQ(walk({other, entry(), other}, {R::Ok}).asked, "1");
  // The last one is skipped, so nothing is left after the internal failure.
  EXPECT_EQ(walk({entry(), other}, {R::Internal}).verdict, R::Internal);
}

TEST(Chain, SkipByVerification) {
  ChainEntry only_first = entry(), only_second = entry();
  only_first.skip = ChainSkip::Authenticated;
  only_second.skip = ChainSkip::Unauthenticated;
  EXPECT_EQ(walk({only_second, only_first}, {R::Ok}).asked, "1");
  EXPECT_EQ(walk({entry(Rule::Continue), only_first, only_second}, {R::Ok, R::Ok}).asked, "02");
}

TEST(Chain, MechanismNamesIgnoreCase) {
  ChainEntry e = entry();
  e.mechanisms = {"login", "plain"};
  EXPECT_EQ(walk({e}, {R::Ok}).asked, "0");
}

TEST(Chain, FieldsStayWithSuccessOnly) {
  const std::vector<ChainEntry> entries{entry(Rule::Continue), entry(), entry(), entry()};
  ChainWalk w(entries);
  const std::pair<R, bool> steps[] = {{R::Ok, true}, {R::Next, true}, {R::Mismatch, false}, {R::Internal, false}};
  for (const auto& [result, kept] : steps) {
    ASSERT_TRUE(w.next("PLAIN", "joe"));
    EXPECT_EQ(w.take(result), kept);
  }
}

TEST(Chain, MasterWalkStopsAtSuccess) {
  const std::vector<ChainEntry> entries{entry(Rule::Continue), entry()};
  ChainWalk w(entries, {}, true);
  ASSERT_TRUE(w.next("PLAIN", "boss"));
  w.take(R::Ok);
  EXPECT_FALSE(w.next("PLAIN", "boss"));
  EXPECT_TRUE(w.continued());
  EXPECT_TRUE(w.state().password_verified);
  const Outcome user = walk({entry()}, {R::UnknownUser}, w.state());
  EXPECT_EQ(user.verdict, R::UnknownUser);
  EXPECT_TRUE(user.verified);
}

TEST(Chain, WordsOfTheSettings) {
  DatabaseSettings s;
  s.result_success = "continue-ok";
  s.result_failure = "return-fail";
  s.result_internalfail = "return";
  s.skip = "authenticated";
  const auto e = ChainEntry::from(s);
  ASSERT_TRUE(e);
  EXPECT_EQ(e->success, Rule::ContinueOk);
  EXPECT_EQ(e->failure, Rule::ReturnFail);
  EXPECT_EQ(e->internal_failure, Rule::Return);
  EXPECT_EQ(e->skip, ChainSkip::Authenticated);
  s.result_failure = "stop";
  EXPECT_EQ(ChainEntry::from(s).error(), "result_failure = stop: unknown word");
}

TEST(Chain, UsernameFilter) {
  const std::vector<std::string> filter{"*@a.example", "!bad*", "*@b.example"};
  EXPECT_TRUE(passes_username_filter("joe@A.example", filter));
  EXPECT_FALSE(passes_username_filter("badjoe@a.example", filter));
  EXPECT_FALSE(passes_username_filter("joe@c.example", filter));
  EXPECT_TRUE(passes_username_filter("joe", std::vector<std::string>{"!bad*"}));
  EXPECT_TRUE(passes_username_filter("joe", {}));
}

TEST(Chain, Wildcards) {
  EXPECT_TRUE(matches_wildcard("", "*"));
  EXPECT_TRUE(matches_wildcard("abc", "a?c"));
  EXPECT_TRUE(matches_wildcard("aXbXc", "a*b*c"));
  EXPECT_FALSE(matches_wildcard("abc", "ab"));
  EXPECT_FALSE(matches_wildcard("ab", "ab?"));
  EXPECT_TRUE(matches_wildcard(std::string(2000, 'a'), "*a*a*a*a*"));
}

}  // namespace
}  // namespace postern
