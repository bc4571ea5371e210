// Signed tokens and the keys for them (AUTH-25). The examples of RFC 7515 appendix A and RFC 7520 section 4.
#include "auth/jwt.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "auth/jwt_key_store.h"
#include "auth/temp_dir.h"
#include "base/base64.h"
#include "support/captured_log.h"

namespace postern {
namespace {

using Kind = TokenVerdict::Kind;

const std::string kPayload =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
const std::string kHs256 =
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + kPayload + ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const std::string kRs256 = "eyJhbGciOiJSUzI1NiJ9." + kPayload +
                           ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"
                           "O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4"
                           "BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--"
                           "xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqv"
                           "hJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
const std::string kEs256 = "eyJhbGciOiJFUzI1NiJ9." + kPayload +
                           ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

const std::string kOct =
    R"({"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")";
const std::string kRsa =
    R"({"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL)"
    "-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-"
    "UTo7WTBEMa2R2CapHg665xsmt"
    "dVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_"
    "h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\"";
const std::string kEc =
    R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0")";
std::string set_of(const std::vector<std::string>& keys) {
  std::string out;
  for (const std::string& key : keys) out += (out.empty() ? "" : ",") + key;
  return "{\"keys\":[" + out + "]}";
}

std::string encoded(std::string_view text) {
  std::string out = base64_encode_unpadded(text);
  for (char& c : out) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return out;
}

class FixedKeys final : public JwtKeys {
 public:
  explicit FixedKeys(const std::string& set) : set_(parse_jwks(set)) {}
  Result<Found> find(const Jwt& token) override {
    Found out;
    for (const Jwk& jwk : *set_)
      if (jwk.key.serves(*token.algorithm)) out.push_back(std::make_shared<const JwtKey>(jwk.key));
    return out;
  }

 private:
  Result<std::vector<Jwk>> set_;
};

// "right", or why not.
std::string ask(const std::string& token, JwtKeys& keys) {
  const auto parsed = parse_jwt(token);
  if (!parsed) return parsed.error();
  const TokenVerdict verdict = verify_jwt(*parsed, keys);
  return verdict.kind == Kind::Right ? "right" : verdict.why;
}

std::string ask(const std::string& token, const std::string& set) {
  FixedKeys keys(set);
  return ask(token, keys);
}

TEST(Jwt, TheExamplesOfTheStandard) {
  const std::string all = set_of({kOct + "}", kRsa + "}", kEc + "}"});
  for (const std::string& token : {kHs256, kRs256, kEs256}) {
    EXPECT_EQ(ask(token, all), "right") << token;
    std::string changed = token;
    changed[changed.size() - 20] = changed[changed.size() - 20] == 'A' ? 'B' : 'A';
    EXPECT_EQ(ask(changed, all), "JWT signature is not valid");
    changed = token;
    changed[token.find('.') + 5] = 'J';
    EXPECT_NE(ask(changed, all), "right") << "other claims";
  }
  EXPECT_EQ(parse_jwt(kHs256)->claims.text("iss"), "joe");
}

TEST(Jwt, TheExamplesOfRfc7520) {  // sections 4.2 and 4.3: a text that is no JSON
  const std::string text =
      ".SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5"
      "kIGlmIHlv"
      "dSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4";
  const auto rsa = JwtKey::from_rsa(
      *base64url_decode(
          "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_"
          "AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL"
          "-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-"
          "OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzw"
          "OHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw"),
      *base64url_decode("AQAB"));
  const auto curve = JwtKey::from_ec(
      "P-521",
      *base64url_decode("AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-7ytDyRXYgCF5cj0Kt"),
      *base64url_decode("AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUdaQkAgDPrwQrJmbnX9cwlGfP-HqHZR1"));
  ASSERT_TRUE(rsa && curve);
  const auto pss = base64url_decode(
      "cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2IpN6-tPid6VrklHkqsGqDqHCdP6O8TTB5dDDItllVo6_"
      "1OLPpcbUrhiUSMx"
      "bbXUvdvWXzg-UD8biiReQFlfz28zGWVsdiNAUf8ZnyPEgVFn442ZdNqiVJRmBqrYRXe8P_"
      "ijQ7p8Vdz0TTrxUeT3lm8d9shnr2lfJT8ImUjvAA2Xez2Mlp8c"
      "BE5awDzT0qI0n6uiP1aCN_2_jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0uTOcbH510a6GYmJUAfmWjwZ6oD4ifKo8DYM-X72Eaw");
  const auto ecdsa = base64url_decode(
      "AE_R_YZCChjn4791jSQCrdPZCNYqHXCTZH0-JZGYNlaAjP2kqaluUIIUnC9qvbu9Plon7KRTzoNEuT4Va2cmL1eJAQy3mtPBu_u_"
      "sDDyYjnAMDxXPn7XrT0l"
      "w-kvAD890jl8e2puQens_IEKBpHABlsbEPX6sFY8OcGDqoRuBomu9xQ2");
  const std::string head = "eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9";
  EXPECT_TRUE(rsa->verifies(*find_jwt_algorithm("PS384"), head + text, *pss));
  EXPECT_FALSE(rsa->verifies(*find_jwt_algorithm("RS384"), head + text, *pss)) << "another padding";
  EXPECT_FALSE(rsa->verifies(*find_jwt_algorithm("PS256"), head + text, *pss)) << "another digest";
  EXPECT_TRUE(curve->verifies(*find_jwt_algorithm("ES512"),
                              "eyJhbGciOiJFUzUxMiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9" + text,
                              *ecdsa));
  EXPECT_FALSE(curve->verifies(*find_jwt_algorithm("ES512"), head + text, *ecdsa));
  EXPECT_FALSE(curve->verifies(*find_jwt_algorithm("ES256"), head + text, *ecdsa));
}

TEST(Jwt, AKeyServesItsOwnKindOnly) {  // RS/HS confusion
  EXPECT_EQ(ask(kHs256, set_of({kRsa + "}", kEc + "}"})), "HS256 key '' not found");
  EXPECT_EQ(ask(kRs256, set_of({kOct + "}", kEc + "}"})), "RS256 key '' not found");
  EXPECT_EQ(ask(kEs256, set_of({kOct + "}", kRsa + "}"})), "ES256 key '' not found");
  const auto set = parse_jwks(set_of({kOct + "}", kRsa + "}", kEc + "}"}));
  ASSERT_TRUE(set) << set.error();
  const std::vector<std::string> served[] = {
      {"HS256", "HS384", "HS512"}, {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}, {"ES256"}};
  for (size_t i = 0; i < 3; ++i)
    for (const char* family : {"HS", "RS", "PS", "ES"})
      for (const char* bits : {"256", "384", "512"}) {
        const std::string name = std::string(family) + bits;
        const bool expected = std::find(served[i].begin(), served[i].end(), name) != served[i].end();
        EXPECT_EQ((*set)[i].key.serves(*find_jwt_algorithm(name)), expected) << i << name;
      }
}

TEST(Jwt, NothingIsReadLeniently) {
  const auto with_header = [](std::string_view header) { return encoded(header) + "." + kPayload + ".AAAA"; };
  FixedKeys keys(set_of({kOct + "}"}));
  for (const char* alg : {"none", "None", "", "HS1", "hs256", "RS256 ", "ES256K", "EdDSA"})
    EXPECT_EQ(ask(with_header(R"({"alg":")" + std::string(alg) + "\"}"), keys),
              "JWT header: algorithm '" + std::string(alg) + "' is not accepted");
  EXPECT_EQ(ask(with_header("{}"), keys), "JWT header: algorithm '' is not accepted");
  EXPECT_EQ(ask(with_header(R"({"alg":["HS256"]})"), keys), "JWT header: 'alg' is no text");
  EXPECT_EQ(ask(with_header(R"({"alg":"HS256","kid":7})"), keys), "JWT header: 'kid' is no text");
  EXPECT_EQ(ask(with_header(R"({"alg":"HS256","crit":["b64"],"b64":false})"), keys),
            "JWT header: 'crit' is not supported");
  EXPECT_EQ(ask(with_header(R"({"alg":"HS256","crit":{}})"), keys), "JWT header: 'crit' is not supported");
  EXPECT_EQ(ask(with_header(R"({"alg":"HS256","kid":"a\nb"})"), keys), "JWT header: 'kid' is no text");
  EXPECT_EQ(ask(with_header("[]"), keys), "JWT header is no JSON object in base64url");
  EXPECT_EQ(ask("eyJhbGciOiJIUzI1NiJ9." + kPayload + ".", keys), "JWT without a signature");
  EXPECT_EQ(ask("eyJhbGciOiJIUzI1NiJ9." + encoded("x") + ".AAAA", keys), "JWT payload is no JSON object in base64url");
  EXPECT_EQ(ask(encoded(R"({"alg":"HS256"})") + "=." + kPayload + ".AAAA", keys),
            "JWT header is no JSON object in base64url");
  EXPECT_EQ(ask(kHs256 + ".x", keys), "Not a JWT");
  EXPECT_EQ(ask("a.b", keys), "Not a JWT");
  EXPECT_EQ(ask("", keys), "Not a JWT");
  EXPECT_EQ(ask(std::string(kMaxJwt + 1, 'a'), keys), "Not a JWT");
  std::string other_bits = kHs256;
  other_bits.back() = 'l';  // the same bytes, but for bits that must be zero
  EXPECT_EQ(ask(other_bits, keys), "JWT without a signature");
}

TEST(Jwks, KeysAndMistakes) {
  const auto set =
      parse_jwks(set_of({kEc + R"(,"kid":"1","alg":"ES256","use":"sig"})", R"({"kty":"OKP","crv":"Ed25519","x":"AA"})",
                         kRsa + R"(,"use":"enc"})", "7", "{}"}));
  ASSERT_TRUE(set) << set.error();
  ASSERT_EQ(set->size(), 1U) << "kinds we don't know, and keys for encryption, are left out";
  EXPECT_EQ((*set)[0].kid, "1");
  EXPECT_EQ((*set)[0].alg, "ES256");
  EXPECT_TRUE(parse_jwks(R"({"keys":[]})"));
  const std::pair<std::string, const char*> mistakes[] = {
      {"", "is no JSON Web Key Set"},
      {"[]", "is no JSON Web Key Set"},
      {R"({"keys":{}})", "is no JSON Web Key Set"},
      {R"({"keys":[{"kty":"oct","kid":"a"}]})", "key 'a' is an empty key"},
      {R"({"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]})", "key '' is an RSA key of "},
      {R"({"keys":[{"kty":"RSA","n":"+","e":"AQAB"}]})", "key '' is no RSA key"},
      {R"({"keys":[{"kty":"EC","crv":"P-192"}]})", "key '' its curve is none of P-256, P-384, P-521"},
      {R"({"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]})",
       "key '' its coordinates have not the curve's size"},
      {R"({"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"}]})",
       "key '' is no point on its curve"}};
  for (const auto& [text, why] : mistakes) {
    const auto wrong = parse_jwks(text);
    ASSERT_FALSE(wrong) << text;
    EXPECT_TRUE(wrong.error().starts_with(why)) << wrong.error();
  }
  std::vector<std::string> many(kMaxJwks + 1, "{}");
  EXPECT_FALSE(parse_jwks(set_of(many)));
}

TEST(Jwks, ShortSecretsServeNothing) {  // RFC 7518 section 3.2
  const auto key = JwtKey::from_secret(SecretString(std::string(31, 'x')));
  ASSERT_TRUE(key);
  EXPECT_FALSE(key->serves(*find_jwt_algorithm("HS256")));
  EXPECT_TRUE(JwtKey::from_secret(SecretString(std::string(48, 'x')))->serves(*find_jwt_algorithm("HS384")));
  EXPECT_FALSE(JwtKey::from_secret(SecretString(std::string(48, 'x')))->serves(*find_jwt_algorithm("HS512")));
}

// --- files -------------------------------------------------------------------------

Jwt named(std::string azp, std::string kid) {
  Jwt out;
  out.algorithm = find_jwt_algorithm("HS256");
  out.azp = std::move(azp);
  out.kid = std::move(kid);
  return out;
}

TEST(JwtKeyFolder, NamesAreNoWayOutOfTheFolder) {  // CVE-2021-29157
  EXPECT_EQ(jwt_key_path(named("", "")), "default/HS256/default");
  EXPECT_EQ(jwt_key_path(named("web", "1")), "web/HS256/1");
  EXPECT_EQ(jwt_key_path(named("a/b", "../%2f")), "a%2fb/HS256/..%2f%252f");
  for (const char* name : {".", "..", "a\tb", "a\nb", "\x7f"}) {
    EXPECT_FALSE(jwt_key_path(named(name, "1"))) << name;
    EXPECT_FALSE(jwt_key_path(named("web", name))) << name;
  }
  EXPECT_FALSE(jwt_key_path(named("web", std::string(201, 'x'))));
}

void write(const std::string& file, std::string_view text) {
  std::filesystem::create_directories(std::filesystem::path(file).parent_path());
  std::ofstream(file) << text;
}

TEST(JwtKeyFolder, KeysAreReadAgainWhenTheyChange) {
  const TempDir dir;
  const std::string prefix = dir.path(""), file = prefix + "default/HS256/default";
  JwtKeyFolder keys(prefix);
  EXPECT_EQ(ask(kHs256, keys), "HS256 key '' not found");
  write(file, base64_encode(std::string(64, 'x')));
  EXPECT_EQ(ask(kHs256, keys), "JWT signature is not valid");
  write(file, base64_encode(*base64url_decode(
                  "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")) +
                  "\n\n");
  EXPECT_EQ(ask(kHs256, keys), "right");
  EXPECT_EQ(ask(kHs256, keys), "right") << "from memory";
  write(file, "not base64!");
  EXPECT_EQ(ask(kHs256, keys), file + ": is no key in base64");
  write(file, base64_encode("short"));
  EXPECT_EQ(ask(kHs256, keys), file + ": is no key for HS256, or too short a one");
  std::filesystem::remove(file);
  EXPECT_EQ(ask(kHs256, keys), "HS256 key '' not found");
  std::filesystem::create_directory(file);
  EXPECT_EQ(ask(kHs256, keys), "HS256 key '' not found") << "a folder";
}

TEST(JwtKeySet, AReplacedFileCounts) {
  const TempDir dir;
  const std::string file = dir.path("jwks");
  JwtKeySet keys(file);
  EXPECT_EQ(ask(kEs256, keys), file + ": No such file or directory");
  write(file, "nonsense");
  EXPECT_EQ(ask(kEs256, keys), file + ": is no JSON Web Key Set");
  write(file, set_of({kEc + R"(,"kid":"other"})", kOct + "}"}));
  EXPECT_EQ(ask(kEs256, keys), "right") << "a token without a name tries them all";
  EXPECT_EQ(ask(kHs256, keys), "right");
  write(file, "half a fi");
  CapturedLog log;
  EXPECT_EQ(ask(kHs256, keys), "right") << "those read before stay";
  EXPECT_EQ(log.lines, "Error: oauth2: the keys read before stay in use: " + file + ": is no JSON Web Key Set\n");
  write(file, set_of({kEc + R"(,"kid":"other","alg":"ES384"})"}));
  EXPECT_EQ(ask(kEs256, keys), "ES256 key '' not found") << "a key may be for one algorithm alone";
}

}  // namespace
}  // namespace postern
