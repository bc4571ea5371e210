// AUTH-45 to AUTH-48: what a policy server is asked, and what its answers mean.
#include "auth/policy.h"

#include <gtest/gtest.h>

#include "auth/fake_variables.h"

namespace postern {
namespace {

class PolicyTest : public testing::Test {
 protected:
  PolicyTest() {
    settings_.set(Key::auth_policy_server_url, std::string("http://127.0.0.1:8084/"));
    settings_.set(Key::auth_policy_hash_nonce, std::string("nonce"));
  }
  PolicyRules rules() {
    auto made = PolicyRules::compile(settings_);
    EXPECT_TRUE(made) << made.error();
    return std::move(*made);
  }
  std::string problem() {
    const auto made = PolicyRules::compile(settings_);
    return made ? "" : made.error();
  }

  Settings settings_;
};

TEST_F(PolicyTest, Urls) {
  EXPECT_EQ(rules().url(PolicyCommand::Allow), "http://127.0.0.1:8084/?command=allow");
  settings_.set(Key::auth_policy_server_url, std::string("http://h/?key=x"));
  EXPECT_EQ(rules().url(PolicyCommand::Report), "http://h/?key=x&command=report");
  settings_.set(Key::auth_policy_server_url, std::string("http://h/?key=x&"));
  EXPECT_EQ(rules().url(PolicyCommand::Report), "http://h/?key=x&command=report");
}

TEST_F(PolicyTest, HashIsTheFirstBits) {  // AUTH-46
  const std::string all = hex_encode(digest(DigestKind::Sha256, std::string("nonce") + "joe" + '\0', "secret"));
  settings_.set(Key::auth_policy_hash_truncate, int64_t{0});
  EXPECT_EQ(rules().hash("joe", "secret"), all);
  settings_.set(Key::auth_policy_hash_truncate, int64_t{16});
  EXPECT_EQ(rules().hash("joe", "secret"), all.substr(0, 4));
  settings_.set(Key::auth_policy_hash_truncate, int64_t{12});
  EXPECT_EQ(rules().hash("joe", "secret"), "0" + all.substr(0, 3));
  settings_.set(Key::auth_policy_hash_truncate, int64_t{20});
  EXPECT_EQ(rules().hash("joe", "secret"), "0" + all.substr(0, 5));
}

TEST_F(PolicyTest, Bodies) {  // AUTH-47
  settings_.set(Key::auth_policy_request_attributes,
                std::string("login=%{requested_username} pwhash=%{hashed_password} a/b=%u a/c=x"));
  PolicyFacts facts{.user = "joe", .hash = "0abc", .tls = true};
  EXPECT_EQ(rules().body(PolicyCommand::Allow, facts, FakeVariables("j\xFF")),
            "{\"a\":{\"b\":\"j\xEF\xBF\xBD\",\"c\":\"x\"},\"login\":\"joe\",\"pwhash\":\"0abc\",\"tls\":true}");
  facts.fail_type = "policy";
  facts.policy_reject = true;
  EXPECT_EQ(
      rules().body(PolicyCommand::Report, facts, FakeVariables("j")),
      R"({"a":{"b":"j","c":"x"},"fail_type":"policy","login":"joe","policy_reject":true,"pwhash":"0abc","success":false,"tls":true})");
}

TEST_F(PolicyTest, Problems) {
  settings_.set(Key::auth_policy_request_attributes, std::string("login"));
  EXPECT_EQ(problem(), "auth_policy_request_attributes: login: accepted: NAME=VALUE");
  settings_.set(Key::auth_policy_request_attributes, std::string("login=%{nobody}"));
  EXPECT_NE(problem().find("unknown variable"), std::string::npos);
  settings_.set(Key::auth_policy_hash_truncate, int64_t{256});
  EXPECT_NE(problem().find("auth_policy_hash_truncate = 256"), std::string::npos);
  settings_.set(Key::auth_policy_hash_nonce, std::string());
  EXPECT_NE(problem().find("auth_policy_hash_nonce"), std::string::npos);
  settings_.set(Key::auth_policy_server_url, std::string());
  EXPECT_FALSE(rules().enabled());
}

std::string show(int status, std::string_view body) {
  const PolicyAnswer a = parse_policy_answer(status, body);
  return (a.failed ? "failed: " : std::to_string(a.status) + " ") + a.message;
}

TEST(PolicyAnswers, AllKinds) {  // AUTH-48
  EXPECT_EQ(show(200, R"({"status":-1,"msg":"go \u0007away"})"), "-1 go \\x07away");
  EXPECT_EQ(show(200, R"({"status":0})"), "0 ");
  EXPECT_EQ(show(200, R"({"status":5,"msg":3})"), "5 ");
  EXPECT_EQ(show(0, "connection refused"), "failed: connection refused");
  EXPECT_EQ(show(500, "{}"), "failed: HTTP status 500");
  for (const char* bad : {"", "[]", "{", R"({"status":"0"})", R"({"msg":"x"})", "\xFF"})
    EXPECT_TRUE(parse_policy_answer(200, bad).failed) << bad;
}

}  // namespace
}  // namespace postern
