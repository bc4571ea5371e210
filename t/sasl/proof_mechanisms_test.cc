// CRAM-MD5 and SCRAM against a client made here, from the RFCs.
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <map>

#include "base/base64.h"
#include "base/text.h"
#include "sasl/server_mechanisms.h"
#include "sasl/scram_verifier.h"

namespace postern {
namespace {

using namespace std::string_literals;

std::string hmac(const EVP_MD* hash, std::string_view key, std::string_view text) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(hash, key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()), text.size(), out, &size);
  return std::string(reinterpret_cast<char*>(out), size);
}

std::string hash_of(const EVP_MD* hash, std::string_view text) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), out, &size, hash, nullptr);
  return std::string(reinterpret_cast<char*>(out), size);
}

std::string hex(std::string_view bytes) {
  std::string out;
  for (unsigned char c : bytes) {
    char pair[3];
    snprintf(pair, sizeof pair, "%02x", c);
    out += pair;
  }
  return out;
}

SaslStep step(ServerMechanism& m, std::optional<std::string> response) {
  return m.step(response ? std::optional<SecretString>(SecretString(*response)) : std::nullopt);
}

std::string show(const SaslStep& s) {
  if (const auto* c = std::get_if<SaslChallenge>(&s)) return "challenge " + c->text;
  if (const auto* c = std::get_if<SaslClaim>(&s)) return "claim " + c->authzid + "|" + c->authcid;
  if (const auto* p = std::get_if<SaslProven>(&s)) return "proven" + (p->last_word ? " " + *p->last_word : "");
  if (std::holds_alternative<SaslDisproven>(s)) return "disproven";
  return std::holds_alternative<SaslBad>(s) ? "bad" : "password";
}

SaslSecret plain(std::string_view password) { return {false, SecretString(password)}; }

// --- CRAM-MD5 ----------------------------------------------------------------------

struct Cram {
  std::unique_ptr<ServerMechanism> m = make_server_mechanism(*find_mechanism("CRAM-MD5"));
  std::string challenge = show(step(*m, std::nullopt)).substr(10);
  std::string answer(const std::string& user, const std::string& password) { return user + " " + hex(hmac(EVP_md5(), password, challenge)); }
};

TEST(CramMd5, ProvesAPassword) {
  Cram c;
  EXPECT_EQ(c.challenge.front(), '<');
  EXPECT_EQ(c.challenge.back(), '>');
  EXPECT_NE(Cram().challenge, c.challenge);
  EXPECT_EQ(show(step(*c.m, c.answer("joe", "secret"))), "claim |joe");
  const SaslSecret secret = plain("secret");
  EXPECT_EQ(show(c.m->supply(&secret)), "proven");
}

TEST(CramMd5, WrongPasswordAndNobody) {
  Cram wrong, nobody;
  step(*wrong.m, wrong.answer("joe", "Secret"));
  const SaslSecret secret = plain("secret");
  EXPECT_EQ(show(wrong.m->supply(&secret)), "disproven");
  EXPECT_EQ(show(step(*nobody.m, nobody.answer("joe", ""))), "claim |joe");
  EXPECT_EQ(show(nobody.m->supply(nullptr)), "disproven");
}

TEST(CramMd5, NamesWithBlanks) {
  Cram c;
  EXPECT_EQ(show(step(*c.m, c.answer("joe doe", "secret"))), "claim |joe doe");
}

TEST(CramMd5, BadAnswers) {
  for (const std::string& bad : {""s, "joe"s, "joe abc"s, "\0joe "s + std::string(32, 'a'), " "s}) {
    Cram c;
    EXPECT_EQ(show(step(*c.m, bad)), "bad") << bad;
  }
}

// --- SCRAM -------------------------------------------------------------------------

struct ScramClient {
  const EVP_MD* hash;
  std::string bare, server_first, without_proof, salted;

  std::map<char, std::string> attributes() const {
    std::map<char, std::string> out;
    for (std::string_view part : split_fields(server_first, ',')) out[part[0]] = part.substr(2);
    return out;
  }
  std::string auth_message() const { return bare + "," + server_first + "," + without_proof; }
  std::string final_message(const std::string& password) {
    const auto a = attributes();
    const std::string salt = *base64_decode(a.at('s'));
    unsigned char out[EVP_MAX_MD_SIZE];
    PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), reinterpret_cast<const unsigned char*>(salt.data()),
                      static_cast<int>(salt.size()), std::stoi(a.at('i')), hash, EVP_MD_get_size(hash), out);
    salted.assign(reinterpret_cast<char*>(out), static_cast<size_t>(EVP_MD_get_size(hash)));
    without_proof = "c=biws,r=" + a.at('r');
    std::string proof = hmac(hash, salted, "Client Key");
    const std::string signature = hmac(hash, hash_of(hash, proof), auth_message());
    for (size_t i = 0; i < proof.size(); ++i) proof[i] = static_cast<char>(proof[i] ^ signature[i]);
    return without_proof + ",p=" + base64_encode(proof);
  }
  std::string server_signature() const { return "v=" + base64_encode(hmac(hash, hmac(hash, salted, "Server Key"), auth_message())); }
};

struct ScramRun {
  std::unique_ptr<ServerMechanism> m;
  ScramClient client;
  std::string claim;

  ScramRun(const char* name, const EVP_MD* hash, const std::string& user, const SaslSecret* secret, const std::string& gs2 = "n,,")
      : m(make_server_mechanism(*find_mechanism(name))), client{hash, "n=" + user + ",r=abcdefgh", {}, {}, {}} {
    claim = show(step(*m, gs2 + client.bare));
    client.server_first = show(m->supply(secret)).substr(10);
  }
  std::string finish(const std::string& password) { return show(step(*m, client.final_message(password))); }
};

TEST(Scram, ProvesAPassword) {
  const SaslSecret secret = plain("secret");
  for (const auto& [name, hash] : {std::pair("SCRAM-SHA-256", EVP_sha256()), std::pair("SCRAM-SHA-1", EVP_sha1())}) {
    ScramRun run(name, hash, "joe", &secret);
    EXPECT_EQ(run.claim, "claim |joe");
    EXPECT_EQ(run.client.attributes().at('r').substr(0, 8), "abcdefgh");
    const std::string end = run.finish("secret");
    EXPECT_EQ(end, "proven " + run.client.server_signature());
    ScramRun wrong(name, hash, "joe", &secret);
    EXPECT_EQ(wrong.finish("Secret"), "disproven");
  }
}

TEST(Scram, WithoutInitialResponseAsksWithNothing) {
  const auto m = make_server_mechanism(*find_mechanism("SCRAM-SHA-256"));
  EXPECT_EQ(show(step(*m, std::nullopt)), "challenge ");
  EXPECT_EQ(show(step(*m, "n,,n=joe,r=abc")), "claim |joe");
}

TEST(Scram, NamesAreDecoded) {
  const auto m = make_server_mechanism(*find_mechanism("SCRAM-SHA-256"));
  EXPECT_EQ(show(step(*m, "n,a=ann=2C=3D,n=jo=2Ce,r=abc")), "claim ann,=|jo,e");
}

// NOTES, "do better": a user who does not exist looks like one who does, also when asked again.
TEST(Scram, NobodyLooksLikeSomebody) {
  const SaslSecret secret = plain("secret");
  ScramRun known("SCRAM-SHA-256", EVP_sha256(), "joe", &secret), known_again("SCRAM-SHA-256", EVP_sha256(), "joe", &secret);
  ScramRun nobody("SCRAM-SHA-256", EVP_sha256(), "ann", nullptr), nobody_again("SCRAM-SHA-256", EVP_sha256(), "ann", nullptr);
  auto a = known.client.attributes(), b = nobody.client.attributes();
  EXPECT_EQ(a['s'], known_again.client.attributes()['s']);
  EXPECT_EQ(b['s'], nobody_again.client.attributes()['s']);
  EXPECT_NE(a['s'], b['s']);
  EXPECT_EQ(a['s'].size(), b['s'].size());
  EXPECT_EQ(a['i'], b['i']);
  EXPECT_EQ(a['r'].size(), b['r'].size());
  for (const char* password : {"", "secret"}) {
    ScramRun run("SCRAM-SHA-256", EVP_sha256(), "ann", nullptr);
    EXPECT_EQ(run.finish(password), "disproven");
  }
}

// RFC 7677 section 3 has the keys' inputs; StoredKey and ServerKey follow from them.
TEST(Scram, StoredVerifier) {
  const std::string salt = *base64_decode("W22ZaJ0SNY7soEsUEjb6gQ==");
  unsigned char salted[32];
  PKCS5_PBKDF2_HMAC("pencil", 6, reinterpret_cast<const unsigned char*>(salt.data()), static_cast<int>(salt.size()), 4096, EVP_sha256(), 32, salted);
  const std::string key(reinterpret_cast<char*>(salted), 32);
  const std::string verifier = "4096,W22ZaJ0SNY7soEsUEjb6gQ==," + base64_encode(hash_of(EVP_sha256(), hmac(EVP_sha256(), key, "Client Key"))) + "," +
                               base64_encode(hmac(EVP_sha256(), key, "Server Key"));
  const SaslSecret secret{true, SecretString(verifier)};
  ScramRun run("SCRAM-SHA-256", EVP_sha256(), "user", &secret);
  EXPECT_EQ(run.client.attributes().at('s'), "W22ZaJ0SNY7soEsUEjb6gQ==");
  const std::string end = run.finish("pencil");
  EXPECT_EQ(end, "proven " + run.client.server_signature());
  ScramRun wrong("SCRAM-SHA-256", EVP_sha256(), "user", &secret);
  EXPECT_EQ(wrong.finish("pencils"), "disproven");
}

TEST(Scram, VerifierText) {
  const auto good = ScramVerifier::parse("4096,c2FsdA==,YQ==,Yg==");
  ASSERT_TRUE(good);
  EXPECT_EQ(good->iterations, 4096u);
  EXPECT_EQ(good->salt, "c2FsdA==");
  for (const char* bad : {"", "4096", "0,YQ==,YQ==,YQ==", "x,YQ==,YQ==,YQ==", "4096,YQ==,YQ==", "4096,YQ==,YQ==,?", "4096,,YQ==,YQ=="})
    EXPECT_FALSE(ScramVerifier::parse(bad)) << bad;
}

TEST(Scram, BadMessages) {
  for (const std::string& bad : {""s, "n"s, "n,,"s, "n,,n=joe"s, "p=tls-unique,,n=joe,r=abc"s, "n,,n=joe\0,r=abc"s, "x,,n=joe,r=abc"s}) {
    const auto m = make_server_mechanism(*find_mechanism("SCRAM-SHA-256"));
    EXPECT_EQ(show(step(*m, bad)), "bad") << bad;
  }
  const SaslSecret secret = plain("secret");
  for (const std::string& bad : {""s, "c=biws"s, "c=biws,r=other,p=YWJj"s, "\0"s}) {
    ScramRun run("SCRAM-SHA-256", EVP_sha256(), "joe", &secret);
    EXPECT_EQ(show(step(*run.m, bad)), "disproven") << bad;
  }
}

// --- tokens ------------------------------------------------------------------------

std::string token(const char* mechanism, const std::string& response) {
  const SaslStep s = step(*make_server_mechanism(*find_mechanism(mechanism)), response);
  if (!std::holds_alternative<SaslPassword>(s)) return show(s);
  const auto& p = std::get<SaslPassword>(s);
  return p.authzid + "|" + p.authcid + "|" + std::string(p.password.reveal());
}

TEST(Token, Xoauth2) {
  EXPECT_EQ(token("XOAUTH2", "user=joe@example.org\1auth=Bearer vF9dft4qmT\1\1"), "|joe@example.org|vF9dft4qmT");
  EXPECT_EQ(token("XOAUTH2", "auth=bearer a.b-c\1user=joe\1\1"), "|joe|a.b-c");
  EXPECT_EQ(token("XOAUTH2", "user=joe\1auth=Bearer " + std::string(30000, 'x') + "\1\1"), "|joe|" + std::string(30000, 'x'));
  EXPECT_EQ(show(step(*make_server_mechanism(*find_mechanism("XOAUTH2")), std::nullopt)), "challenge ");
  for (const std::string& bad :
       {""s, "\1"s, "user=joe\1\1"s, "auth=Bearer x\1\1"s, "user=joe\1auth=Bearer x"s, "user=joe\1auth=Bearer x\1"s, "user=joe\1auth=Bearer \1\1"s,
        "user=joe\1auth=Basic x\1\1"s, "user=joe\1auth=Bearer x y\1\1"s, "user=joe\1auth=Bearer x\ny\1\1"s, "user=j\0e\1auth=Bearer x\1\1"s,
        "user=joe\1user=ann\1auth=Bearer x\1\1"s, "user=joe\1auth=Bearer x\1\1x"s})
    EXPECT_EQ(token("XOAUTH2", bad), "bad") << bad;
}

TEST(Token, Oauthbearer) {  // RFC 7628 section 3.1
  EXPECT_EQ(token("OAUTHBEARER", "n,a=user@example.com,\1host=server.example.com\1port=143\1auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\1\1"),
            "|user@example.com|vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==");
  EXPECT_EQ(token("OAUTHBEARER", "y,a=a=2Cb=3Dc,\1auth=Bearer x\1\1"), "|a,b=c|x");
  for (const std::string& bad :
       {""s, "n,,\1auth=Bearer x\1\1"s, "n,a=,\1auth=Bearer x\1\1"s, "n,a=joe\1auth=Bearer x\1\1"s, "p=x,a=joe,\1auth=Bearer x\1\1"s,
        "n,a=jo=e,\1auth=Bearer x\1\1"s, "n,a=joe,\1\1"s, "n,a=joe,\1auth=\1\1"s, "n,a=joe,auth=Bearer x"s})
    EXPECT_EQ(token("OAUTHBEARER", bad), "bad") << bad;
}

}  // namespace
}  // namespace postern
