#include "sasl/mechanisms.h"

#include <gtest/gtest.h>

#include "sasl/password_mechanisms.h"
#include "sasl/server_mechanisms.h"

namespace postern {
namespace {

using namespace std::string_literals;

SaslStep step(ServerMechanism& m, std::optional<std::string> response) {
  return m.step(response ? std::optional<SecretString>(SecretString(*response)) : std::nullopt);
}

std::string challenge(const SaslStep& s) {
  return std::holds_alternative<SaslChallenge>(s) ? std::get<SaslChallenge>(s).text : "(no challenge)";
}

std::string password(const SaslStep& s) {
  if (!std::holds_alternative<SaslPassword>(s)) return "(none)";
  const auto& p = std::get<SaslPassword>(s);
  return p.authzid + "|" + p.authcid + "|" + std::string(p.password.reveal());
}

TEST(Mechanisms, NamesAreFoundWithoutRegardToCase) {
  EXPECT_EQ(find_mechanism("plain")->name, "PLAIN");
  EXPECT_EQ(find_mechanism("Login")->name, "LOGIN");
  EXPECT_EQ(find_mechanism("FOO"), nullptr);
  EXPECT_EQ(find_mechanism(""), nullptr);
}

TEST(Mechanisms, SelectionKeepsOrderAndDropsDoubles) {
  const std::vector<std::string> names{"login", "nonsense", "plain", "LOGIN"};
  const auto rows = select_mechanisms(names);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0]->name, "LOGIN");
  EXPECT_EQ(rows[1]->name, "PLAIN");
  for (const MechanismInfo* row : rows) EXPECT_TRUE(row->plaintext);
}

TEST(Plain, InitialResponse) {
  EXPECT_EQ(password(step(*make_plain(), "\0joe\0secret"s)), "|joe|secret");
  EXPECT_EQ(password(step(*make_plain(), "boss\0joe\0secret"s)), "boss|joe|secret");
  EXPECT_EQ(password(step(*make_plain(), "joe\0joe\0secret"s)), "|joe|secret");
  EXPECT_EQ(password(step(*make_plain(), "\0joe\0"s)), "|joe|");
}

TEST(Plain, WithoutInitialResponseAsksWithNothing) {
  const auto m = make_plain();
  EXPECT_EQ(challenge(step(*m, std::nullopt)), "");
  EXPECT_EQ(password(step(*m, "\0joe\0secret"s)), "|joe|secret");
}

// Every cut of a good message is not one (IMAP-65, IMAP-80).
TEST(Plain, CutMessagesAreBad) {
  const std::string good = "a\0joe\0"s;
  for (size_t n = 0; n < good.size(); ++n)
    EXPECT_TRUE(std::holds_alternative<SaslBad>(step(*make_plain(), good.substr(0, n)))) << n;
  EXPECT_TRUE(std::holds_alternative<SaslBad>(step(*make_plain(), "\0a\0b\0c"s)));
}

TEST(Login, TwoPrompts) {
  const auto m = make_login();
  EXPECT_EQ(challenge(step(*m, std::nullopt)), "Username:");
  EXPECT_EQ(challenge(step(*m, "joe")), "Password:");
  EXPECT_EQ(password(step(*m, "secret")), "|joe|secret");
}

TEST(Login, InitialResponseIsTheUser) {
  const auto m = make_login();
  EXPECT_EQ(challenge(step(*m, "joe")), "Password:");
  EXPECT_EQ(password(step(*m, "")), "|joe|");
}

TEST(Login, EmptyInitialResponseIsNone) {
  const auto m = make_login();
  EXPECT_EQ(challenge(step(*m, "")), "Username:");
  EXPECT_EQ(challenge(step(*m, "joe")), "Password:");
  EXPECT_EQ(password(step(*m, "x")), "|joe|x");
}

TEST(Login, NobodyIsNotAskedForAPassword) {
  const auto m = make_login();
  step(*m, std::nullopt);
  EXPECT_TRUE(std::holds_alternative<SaslBad>(step(*m, "")));
}

TEST(Mechanisms, EachHasItsExchange) {
  for (const MechanismInfo& info : all_mechanisms()) EXPECT_NE(make_server_mechanism(info), nullptr) << info.name;
}

}  // namespace
}  // namespace postern
