#include <gtest/gtest.h>

#include "sasl/client.h"

namespace postern {
namespace {

const ClientCredentials kWho{"user", "master", "secret"};

std::string said(const std::optional<SecretString>& response) {
  return response ? std::string(response->reveal()) : "<none>";
}

TEST(ClientMechanism, KnowsItsNamesInAnyCase) {
  EXPECT_TRUE(ClientMechanism::make("plain"));
  EXPECT_TRUE(ClientMechanism::make("OAuthBearer"));
  EXPECT_FALSE(ClientMechanism::make("GSSAPI"));
  EXPECT_FALSE(ClientMechanism::make(""));
}

TEST(ClientMechanism, PlainSpeaksOnce) {
  auto plain = *ClientMechanism::make("PLAIN");
  EXPECT_TRUE(plain.client_first());
  EXPECT_EQ(said(plain.step("", kWho)), std::string("user\0master\0secret", 18));
  EXPECT_EQ(said(plain.step("", kWho)), "<none>");
}

TEST(ClientMechanism, LoginAnswersTwice) {
  auto login = *ClientMechanism::make("LOGIN");
  EXPECT_FALSE(login.client_first());
  EXPECT_EQ(said(login.step("User Name", kWho)), "master");
  EXPECT_EQ(said(login.step("Password", kWho)), "secret");
  EXPECT_EQ(said(login.step("?", kWho)), "<none>");
}

TEST(ClientMechanism, ExternalNamesTheUser) {
  auto external = *ClientMechanism::make("EXTERNAL");
  EXPECT_EQ(said(external.step("", kWho)), "user");
}

TEST(ClientMechanism, TokensAndTheErrorDocument) {
  auto xoauth2 = *ClientMechanism::make("XOAUTH2");
  EXPECT_EQ(said(xoauth2.step("", kWho)), "user=user\1auth=Bearer secret\1\1");
  EXPECT_EQ(said(xoauth2.step("{}", kWho)), "");
  EXPECT_EQ(said(xoauth2.step("{}", kWho)), "<none>");
  auto bearer = *ClientMechanism::make("OAUTHBEARER");
  EXPECT_EQ(said(bearer.step("", {"a=b,c", "", "t"})), "n,a=a=3Db=2Cc,\1auth=Bearer t\1\1");
  EXPECT_EQ(said(bearer.step("{}", kWho)), "\1");
}

TEST(ClientMechanism, AnEmptyOneSaysNothing) {
  ClientMechanism none;
  EXPECT_FALSE(none.client_first());
  EXPECT_EQ(said(none.step("", kWho)), "<none>");
}

}  // namespace
}  // namespace postern
