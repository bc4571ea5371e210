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

// RFC 7677 section 3 and RFC 5802 section 5, with their nonces.
TEST(ScramClient, TheExamplesOfTheRfcs) {
  ScramClient sha256(ScramHash::Sha256);
  EXPECT_EQ(sha256.first("user", "user", "rOprNGfwEbeRWgbNEkqO"), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
  EXPECT_EQ(
      said(sha256.prove("r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
                        "pencil")),
      "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
  EXPECT_TRUE(sha256.confirms("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
  EXPECT_FALSE(sha256.confirms("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5="));
  EXPECT_FALSE(sha256.confirms("e=other-error"));
  EXPECT_FALSE(sha256.confirms(""));
  ScramClient sha1(ScramHash::Sha1);
  EXPECT_FALSE(sha1.confirms("v="));  // nothing was asked yet
  sha1.first("user", "user", "fyko+d2lbbFgONRv9qkxdawL");
  EXPECT_EQ(said(sha1.prove("r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096", "pencil")),
            "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=");
  EXPECT_TRUE(sha1.confirms("v=rmF9pqV8S7suAoZWja4dJRkFsKQ="));
}

TEST(ScramClient, ActsForAnother) {
  ScramClient scram(ScramHash::Sha256);
  EXPECT_EQ(scram.first("jo,e", "ma=ster", "abc"), "n,a=jo=2Ce,n=ma=3Dster,r=abc");
}

TEST(ScramClient, WhatAServerMustNotSend) {
  for (const char* bad : {"", "r=abc", "r=abc,s=YQ==,i=4096", "r=xbcd,s=YQ==,i=4096", "r=abcd,s=,i=4096",
                          "r=abcd,s=?,i=4096", "r=abcd,s=YQ==,i=4095", "r=abcd,s=YQ==,i=600001", "r=abcd,s=YQ==,i=-1",
                          "r=abcd,s=YQ==", "m=x,r=abcd,s=YQ==,i=4096"}) {
    ScramClient scram(ScramHash::Sha256);
    scram.first("", "joe", "abc");
    EXPECT_FALSE(scram.prove(bad, "secret")) << bad;
    EXPECT_FALSE(scram.confirms("v="));
  }
  ScramClient scram(ScramHash::Sha256);
  scram.first("", "joe", "abc");
  EXPECT_FALSE(scram.prove("r=abcd,s=YQ==,i=4096," + std::string(5000, 'x'), "secret"));
}

TEST(ClientMechanism, ScramBelievesNobodyWithoutProof) {  // PXI-55
  auto scram = *ClientMechanism::make("scram-sha-256");
  EXPECT_TRUE(scram.client_first());
  const std::string first = said(scram.step("", {"joe", "joe", "secret"}));
  EXPECT_TRUE(first.starts_with("n,,n=joe,r="));
  EXPECT_NE(first, said(ClientMechanism::make("SCRAM-SHA-256")->step("", {"joe", "joe", "secret"})));
  EXPECT_FALSE(scram.confirmed(""));
  EXPECT_TRUE(said(scram.step(first.substr(first.find("r=")) + "x,s=YQ==,i=4096", {"joe", "joe", "secret"}))
                  .starts_with("c=biws,r="));
  EXPECT_FALSE(scram.confirmed(""));
  EXPECT_FALSE(scram.confirmed("v=AAAA"));
  EXPECT_FALSE(scram.refuted());
  EXPECT_EQ(said(scram.step("v=AAAA", {"joe", "joe", "secret"})), "<none>");
  EXPECT_TRUE(scram.refuted());
  EXPECT_FALSE(scram.confirmed(""));
  EXPECT_TRUE(ClientMechanism::make("PLAIN")->confirmed(""));
  EXPECT_FALSE(ClientMechanism::make("EXTERNAL")->needs_password());
  EXPECT_TRUE(ClientMechanism::make("SCRAM-SHA-1")->needs_password());
}

TEST(ClientMechanism, AnEmptyOneSaysNothing) {
  ClientMechanism none;
  EXPECT_FALSE(none.client_first());
  EXPECT_EQ(said(none.step("", kWho)), "<none>");
}

}  // namespace
}  // namespace postern
