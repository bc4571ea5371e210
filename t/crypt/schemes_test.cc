#include "crypt/schemes.h"

#include "config.h"

#include <gtest/gtest.h>

namespace postern {
namespace {

// "secret", by openssl passwd, Python's hashlib and crypt, and libsodium.
struct Vector {
  const char* stored;
  bool slow;
};
constexpr Vector kVectors[] = {
    {"{PLAIN}secret", false},
    {"{clear}secret", false},
    {"{CLEARTEXT}secret", false},
    {"{PLAIN.b64}c2VjcmV0", false},
    {"{PLAIN.hex}736563726574", false},
    {"{PLAIN-MD5}5ebe2294ecd0e0f08eab7690d2a6ee69", false},
    {"{LDAP-MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ==", false},
    {"{LDAP-MD5}5ebe2294ecd0e0f08eab7690d2a6ee69", false},
    {"{PLAIN-MD4}67d3dafef63ff00603aeef3769cfbf0d", false},
    {"{PLAIN-TRUNC}6-secret", false},
    {"{PLAIN-TRUNC}8-secret", false},
    {"{CRAM-MD5}cd3ba7deaad6e5ca23448ba42e379747a9e0f7f1fbc00c8a81bbaac395731b56", false},
    {"{HMAC-MD5}cd3ba7deaad6e5ca23448ba42e379747a9e0f7f1fbc00c8a81bbaac395731b56", false},
    {"{DES-CRYPT}FRvSMFcE35hzo", true},
    {"{CRYPT}FRvSMFcE35hzo", true},
    {"{SMD5}iuZBTXJFaZR7Sayp/gxTIHNhbHRTQUxU", false},
    {"{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", false},
    {"{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ", false},
    {"{SHA1}e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4", false},
    {"{SHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=", false},
    {"{SHA256.HEX}2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b", false},
    {"{SHA512}vSsar3708Jvp9Szi2NWZZ02Bqp1qRCFpbcTZPdBhnWgs5WtNZKnvCXdhztmeD2cmW192CF5bDufKRpayrW/isg==", false},
    {"{SSHA}vh5yFi/dQyyuPAjjP/1vgQwM7AVzYWx0U0FMVA==", false},
    {"{SSHA256}GOc7XCdQvD3LA61y9uPwrtdRNjPs6nA/Xqkzg1Vx6ctzYWx0U0FMVA==", false},
    {"{SSHA256.hex}18e73b5c2750bc3dcb03ad72f6e3f0aed7513633ecea703f5ea933835571e9cb73616c7453414c54", false},
    {"{SSHA512}eYWuCIbInkjRfZf4Gy4fn+ZNh5ahfq38/Jim4J+iNkFS32ihkEsYXipRe+d8wbQC3ICYT7AVeNq4WxvjlM6k4XNhbHRTQUxU",
     false},
    {"{MD5}$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1", true},
    {"{MD5}5ebe2294ecd0e0f08eab7690d2a6ee69", true},
    {"{MD5-CRYPT}$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1", true},
    {"{SHA256-CRYPT}$5$abcdefgh$gruCpC7VkOTspMQTTSAR8mtlO9Upms.fwqE5y16JVM.", true},
    {"{SHA512-CRYPT}$6$abcdefgh$ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACtLtip/cZ/1GM/O6IND4WQhG.",
     true},
    {"{CRYPT}$5$abcdefgh$gruCpC7VkOTspMQTTSAR8mtlO9Upms.fwqE5y16JVM.", true},
    {"{CRYPT}$y$j75$abcdefghijklmnop$vZlXu1XtxOBWRxjOpQqONp1WYfMO0dN.H4xeSMU2ZvC", true},
    {"{BLF-CRYPT}$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a", true},
    {"{PBKDF2}$1$abcSalt$5000$6b34726c93d428ea12950fce5054a2f76b19d081", true},
#ifdef HAVE_SODIUM
    {"{ARGON2ID}$argon2id$v=19$m=8192,t=1,p=1$pWrho6wR4zXBJz3ZxrTp/Q$vyw/ub08yniMmPYxsw2Ow/wVJlbihsjrgzsI/b4lg2U",
     true},
    {"{ARGON2I}$argon2i$v=19$m=8192,t=3,p=1$THRbHFezjVa9C2kFAYWZCg$Hm4qVn4Dfymof0JPp3Ft7GHQ0fHoGANlmHz9gyrejtU", true},
#endif
};

VerifyResult verify(std::string_view stored, std::string_view password, std::string_view scheme = "CRYPT",
                    bool literal = false) {
  return verify_password(stored, password, scheme, literal).result;
}

TEST(Schemes, KnownVectors) {  // AUTH-26
  for (const Vector& v : kVectors) {
    EXPECT_EQ(verify(v.stored, "secret"), VerifyResult::Match) << v.stored;
    EXPECT_EQ(verify(v.stored, "Secret"), VerifyResult::Mismatch) << v.stored;
    EXPECT_EQ(verify(v.stored, ""), VerifyResult::Mismatch) << v.stored;
    EXPECT_EQ(verify(v.stored, std::string_view("secret\0x", 8)), VerifyResult::Mismatch) << v.stored;
    EXPECT_EQ(is_slow(v.stored, "PLAIN"), v.slow) << v.stored;
  }
}

TEST(Schemes, DefaultScheme) {
  EXPECT_EQ(verify("secret", "secret", "PLAIN"), VerifyResult::Match);
  EXPECT_EQ(verify("$5$abcdefgh$gruCpC7VkOTspMQTTSAR8mtlO9Upms.fwqE5y16JVM.", "secret"), VerifyResult::Match);
  EXPECT_TRUE(is_slow("secret", "CRYPT"));
  EXPECT_FALSE(is_slow("{PLAIN}secret", "CRYPT"));
}

TEST(Schemes, LiteralNeverLooksAtBraces) {  // AUTH-8
  EXPECT_EQ(verify("{SHA}x", "{SHA}x", "PLAIN", true), VerifyResult::Match);
  EXPECT_EQ(verify("{SHA}x", "{SHA}x", "PLAIN"), VerifyResult::Broken);
  EXPECT_EQ(verify("{x", "{x", "PLAIN"), VerifyResult::Match);
  EXPECT_FALSE(is_slow("{CRYPT}x", "PLAIN", true));
}

TEST(Schemes, RefusedData) {
  EXPECT_EQ(verify("{CRYPT}*0", "secret"), VerifyResult::Broken);
  EXPECT_EQ(verify("{PLAIN-TRUNC}0-", "secret"), VerifyResult::Broken) << "would match any password";
  EXPECT_EQ(verify("{PLAIN-TRUNC}secret", "secret"), VerifyResult::Broken);
  EXPECT_EQ(verify("", ""), VerifyResult::Broken) << "an empty hash matches nothing";
  EXPECT_EQ(verify("{SHA256}K7gN", "secret"), VerifyResult::Broken);
  EXPECT_EQ(verify("{SSHA}vh5yFi/dQyyuPAjjP/1vgQwM7AU=", "secret"), VerifyResult::Broken) << "no salt";
  EXPECT_EQ(verify("{PBKDF2}$1$s$0$00", "secret"), VerifyResult::Broken);
  EXPECT_EQ(verify("{CRYPT}$9$nonsense", "secret"), VerifyResult::Broken);
}

TEST(Schemes, UnknownScheme) {
  const Verification v = verify_password("{ROT13}frperg", "secret", "CRYPT");
  EXPECT_EQ(v.result, VerifyResult::UnknownScheme);
  EXPECT_EQ(v.why, "Unknown scheme ROT13");
  EXPECT_EQ(verify("{PLAIN.rot13}x", "x"), VerifyResult::UnknownScheme);
  EXPECT_TRUE(is_known_scheme("ssha512.b64"));
  EXPECT_FALSE(is_known_scheme("ssha3"));
}

// AUTH-26: whatever is made matches its password and no other, in every scheme and encoding.
TEST(Schemes, MadeAndChecked) {
  for (std::string_view name : scheme_names())
    for (const char* suffix : {"", ".b64", ".hex"}) {
      const std::string scheme = std::string(name) + suffix;
      const auto made = make_password(scheme, {"secret", "joe@example.org", 0});
      ASSERT_TRUE(made) << scheme << ": " << made.error();
      EXPECT_EQ(made->reveal().find('{' + scheme.substr(0, name.size())), 0u);
      EXPECT_EQ(verify_password(made->reveal(), "secret", "X", false, "joe@example.org").result, VerifyResult::Match)
          << made->reveal();
      EXPECT_EQ(verify_password(made->reveal(), "secreT", "X", false, "joe@example.org").result, VerifyResult::Mismatch)
          << made->reveal();
    }
}

TEST(Schemes, Rounds) {
  EXPECT_EQ(make_password("BLF-CRYPT", {"x", "", 6})->reveal().find("{BLF-CRYPT}$2y$06$"), 0u);
  EXPECT_EQ(make_password("BLF-CRYPT", {"x", "", 1})->reveal().find("{BLF-CRYPT}$2y$04$"), 0u)
      << "as few as there can be";
  EXPECT_EQ(make_password("sha512-crypt", {"x", "", 1500})->reveal().find("{SHA512-CRYPT}$6$rounds=1500$"), 0u);
  EXPECT_EQ(make_password("SHA512-CRYPT", {"x"})->reveal().find("rounds"), std::string_view::npos);
  EXPECT_EQ(make_password("SCRAM-SHA-1", {"x", "", 100})->reveal().find("{SCRAM-SHA-1}4096,"), 0u) << "RFC 7677";
  EXPECT_NE(make_password("PBKDF2", {"x", "", 7})->reveal().find("$7$"), std::string_view::npos);
}

TEST(Schemes, CannotBeMade) {
  EXPECT_EQ(make_password("OTP", {"x"}).error(), "Unknown scheme: OTP");
  EXPECT_EQ(make_password("SKEY", {"x"}).error(), "Unknown scheme: SKEY");
  EXPECT_EQ(make_password("DIGEST-MD5", {"x"}).error(), "DIGEST-MD5: a user name is needed");
  EXPECT_FALSE(make_password("PLAIN", {std::string_view("a\0b", 3)}));
}

// The realm is what follows the last @, nothing without one.
TEST(Schemes, DigestMd5KnowsItsUser) {
  EXPECT_EQ(make_password("DIGEST-MD5", {"x", "joe"})->reveal(), "{DIGEST-MD5}fe51fb6a6ab23ab9509171798942a27c");
  EXPECT_EQ(make_password("DIGEST-MD5", {"x", "joe@example.org"})->reveal(),
            "{DIGEST-MD5}737dd63253a3039b39590f9a745cf402");
  EXPECT_EQ(make_password("DIGEST-MD5", {"x", "joe@a@b"})->reveal(), "{DIGEST-MD5}1b6c570471e10615ba504fac548a64fd");
}

TEST(Schemes, Weak) {  // auth_allow_weak_schemes
  for (const char* stored : {"{MD5}x", "{CRYPT}$1$x$y", "{CRYPT}FRvSMFcE35hzo", "FRvSMFcE35hzo", "{CRAM-MD5}x",
                             "{PLAIN-MD4.b64}x", "{LDAP-MD5}x"})
    EXPECT_TRUE(is_weak(stored, "CRYPT")) << stored;
  for (const char* stored : {"{CRYPT}$2y$05$x", "$6$x", "{SHA1}x", "{PLAIN}x", "{DIGEST-MD5}x", "{NOPE}x"})
    EXPECT_FALSE(is_weak(stored, "CRYPT")) << stored;
}

// AUTH-27: mechanisms get the password or their own scheme's data, decoded.
TEST(Schemes, SecretsForProofs) {
  const auto state = secret_for_proof("{HMAC-MD5}cd3ba7deaad6e5ca23448ba42e379747a9e0f7f1fbc00c8a81bbaac395731b56",
                                      "PLAIN", false, "CRAM-MD5", "CRAM-MD5");
  ASSERT_TRUE(state);
  EXPECT_TRUE(state->verifier);
  EXPECT_EQ(state->data.size(), 32u);
  const auto digest =
      secret_for_proof("{DIGEST-MD5}fe51fb6a6ab23ab9509171798942a27c", "PLAIN", false, "DIGEST-MD5", "DIGEST-MD5");
  ASSERT_TRUE(digest);
  EXPECT_EQ(digest->data.size(), 16u);
  EXPECT_FALSE(secret_for_proof("{DIGEST-MD5}fe51", "PLAIN", false, "DIGEST-MD5", "DIGEST-MD5")) << "too short";
  EXPECT_FALSE(secret_for_proof("{DIGEST-MD5}fe51fb6a6ab23ab9509171798942a27c", "PLAIN", false, "", "APOP"));
  EXPECT_FALSE(secret_for_proof("{SHA1}5en6G6MezRroT3XKqkdPOmY/BfQ=", "PLAIN", false, "", "APOP"));
  EXPECT_FALSE(secret_for_proof("x", "PLAIN", false, "CRAM-MD5", "CRAM-MD5")->verifier);
  EXPECT_FALSE(secret_for_proof("{PLAIN-TRUNC}3-sec", "PLAIN", false, "CRAM-MD5", "CRAM-MD5"));
}

TEST(Schemes, ReasonsNeverShowTheData) {
  for (const char* stored :
       {"{SHA256}topsecretdata", "topsecretdata", "{ARGON2ID}topsecretdata", "{PBKDF2}topsecretdata"})
    EXPECT_EQ(verify_password(stored, "x", "CRYPT").why.find("topsecret"), std::string::npos) << stored;
}

TEST(Schemes, SchemeIsSpelledOutForWorkers) {
  EXPECT_EQ(with_scheme("x", "CRYPT", false).reveal(), "{CRYPT}x");
  EXPECT_EQ(with_scheme("{SHA}x", "CRYPT", false).reveal(), "{SHA}x");
  EXPECT_EQ(with_scheme("{SHA}x", "PLAIN", true).reveal(), "{PLAIN}{SHA}x");
}

}  // namespace
}  // namespace postern
