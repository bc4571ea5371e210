// CRAM-MD5 and SCRAM against a client made here, from the RFCs.
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <map>

#include "base/base64.h"
#include "base/text.h"
#include "sasl/hmac_md5.h"
#include "sasl/proof_mechanisms.h"
#include "sasl/scram_verifier.h"
#include "sasl/server_mechanisms.h"
#include "sasl/vouched_mechanisms.h"

namespace postern {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

std::string hmac(const EVP_MD* hash, std::string_view key, std::string_view text) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(hash, key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()), text.size(),
       out, &size);
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
  std::string answer(const std::string& user, const std::string& password) {
    return user + " " + hex(hmac(EVP_md5(), password, challenge));
  }
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

// The stored states are of `doveadm pw -s CRAM-MD5 -p secret`, without {CRAM-MD5} (AUTH-26).
TEST(CramMd5, AStoredState) {
  const std::string states(
      "\xcd\x3b\xa7\xde\xaa\xd6\xe5\xca\x23\x44\x8b\xa4\x2e\x37\x97\x47\xa9\xe0\xf7\xf1\xfb\xc0\x0c\x8a\x81\xbb\xaa\xc3"
      "\x95\x73\x1b\x56",
      32);
  EXPECT_EQ(hmac_md5_states("secret").reveal(), states);
  for (const char* password : {"secret", "Secret"}) {
    Cram c;
    step(*c.m, c.answer("joe", password));
    const SaslSecret secret{true, SecretString(states)};
    EXPECT_EQ(show(c.m->supply(&secret)), password == "secret"sv ? "proven" : "disproven");
  }
  Cram broken;
  step(*broken.m, broken.answer("joe", "secret"));
  const SaslSecret secret{true, SecretString("short")};
  EXPECT_EQ(show(broken.m->supply(&secret)), "disproven");
}

TEST(HmacMd5, AsTheLibraryHasIt) {  // RFC 2202: keys of any length
  for (const std::string& key : {""s, "Jefe"s, std::string(64, 'k'), std::string(80, '\xaa')})
    EXPECT_EQ(hmac_md5(hmac_md5_states(key).reveal(), "what do ya want for nothing?"),
              hmac(EVP_md5(), key, "what do ya want for nothing?"))
        << key;
  EXPECT_EQ(hmac_md5("no states", "text"), "");
}

// --- DIGEST-MD5 (RFC 2831) ---------------------------------------------------------

struct Digest {
  std::unique_ptr<ServerMechanism> m;
  std::string challenge, nonce;

  explicit Digest(std::vector<std::string> realms = {}) {
    SaslContext context;
    context.realms = std::move(realms);
    m = make_server_mechanism(*find_mechanism("DIGEST-MD5"), context);
    challenge = show(step(*m, std::nullopt)).substr(10);
    const size_t at = challenge.find("nonce=\"") + 7;
    nonce = challenge.substr(at, challenge.find('"', at) - at);
  }
  static std::string md5(const std::string& text) { return hash_of(EVP_md5(), text); }
  // `kind`: "AUTHENTICATE" for the client's answer, "" for the server's.
  std::string value(const std::string& user, const std::string& realm, const std::string& password,
                    const std::string& kind) const {
    const std::string a1 = md5(user + ":" + realm + ":" + password) + ":" + nonce + ":cn";
    return hex(md5(hex(md5(a1)) + ":" + nonce + ":00000001:cn:auth:" + hex(md5(kind + ":imap/mail.example.org"))));
  }
  std::string answer(const std::string& user, const std::string& realm, const std::string& password) const {
    return "username=\"" + user + "\",realm=\"" + realm + "\",nonce=\"" + nonce +
           "\",cnonce=\"cn\",nc=00000001,qop=auth,digest-uri=\"imap/mail.example.org\",response=" +
           value(user, realm, password, "AUTHENTICATE") + ",charset=utf-8";
  }
};

TEST(DigestMd5, ProvesAPassword) {
  const SaslSecret secret = plain("secret");
  Digest d;
  EXPECT_EQ(d.challenge.find("realm="), std::string::npos);
  EXPECT_NE(Digest().nonce, d.nonce);
  EXPECT_EQ(show(step(*d.m, d.answer("joe", "example.org", "secret"))), "claim |joe@example.org");
  EXPECT_EQ(show(d.m->supply(&secret)), "proven rspauth=" + d.value("joe", "example.org", "secret", ""));
}

TEST(DigestMd5, ProvesAStoredDigest) {  // AUTH-27
  for (const char* stored : {"joe:example.org:secret", "joe:example.com:secret"}) {
    const SaslSecret secret{true, SecretString(Digest::md5(stored))};
    Digest d;
    step(*d.m, d.answer("joe", "example.org", "secret"));
    EXPECT_EQ(show(d.m->supply(&secret)).substr(0, 6), stored == "joe:example.org:secret"sv ? "proven" : "dispro");
  }
}

TEST(DigestMd5, WrongPasswordAndNobody) {
  const SaslSecret secret = plain("secret");
  Digest wrong, nobody, empty;
  step(*wrong.m, wrong.answer("joe", "", "Secret"));
  EXPECT_EQ(show(wrong.m->supply(&secret)), "disproven");
  EXPECT_EQ(show(step(*nobody.m, nobody.answer("joe", "", "secret"))), "claim |joe");
  EXPECT_EQ(show(nobody.m->supply(nullptr)), "disproven");
  step(*empty.m, empty.answer("joe", "", ""));
  EXPECT_EQ(show(empty.m->supply(nullptr)), "disproven");
}

TEST(DigestMd5, Realms) {
  Digest d({"example.org", "example.com"}), foreign({"example.org"});
  EXPECT_EQ(d.challenge.find("realm=\"example.org\",realm=\"example.com\","), 0u);
  EXPECT_EQ(show(step(*d.m, d.answer("joe", "example.com", "secret"))), "claim |joe@example.com");
  const SaslSecret secret = plain("secret");
  EXPECT_EQ(show(d.m->supply(&secret)).substr(0, 6), "proven");
  EXPECT_EQ(show(step(*foreign.m, foreign.answer("joe", "evil.example", "secret"))), "bad");
}

TEST(DigestMd5, ActsForNobodyElse) {
  const SaslSecret secret = plain("secret");
  Digest d;
  EXPECT_EQ(show(step(*d.m, d.answer("joe", "", "secret") + ",authzid=\"ann\"")), "claim |joe");
  EXPECT_EQ(show(d.m->supply(&secret)), "disproven");
}

TEST(DigestMd5, AnotherExchangesAnswer) {
  const SaslSecret secret = plain("secret");
  Digest first, second;
  step(*second.m, first.answer("joe", "", "secret"));
  EXPECT_EQ(show(second.m->supply(&secret)), "disproven");
}

TEST(DigestMd5, NamesOfAnAnswer) {
  const auto names = [](std::string_view text) {
    const auto found = read_digest_md5_names(text);
    return found ? found->user + "|" + found->realm : "none";
  };
  EXPECT_EQ(names(R"(username="joe",realm="a")"), "joe|a");
  EXPECT_EQ(names(R"( nonce=x , , realm = "a", username="jo\"e\\" )"), "none");  // a blank before the value
  EXPECT_EQ(names(R"(nonce=x , , realm="a, username=ann", USERNAME="jo\"e\\",)"), R"(jo"e\|a, username=ann)");
  for (const char* bad : {"", "joe", "realm=\"a\"", "username=\"joe", "username=\"joe\\",
                          "username=\"a\",username=\"b\"", "username=\"a\",x"})
    EXPECT_EQ(names(bad), "none") << bad;
}

TEST(DigestMd5, BadAnswers) {
  for (const std::string& bad : {""s, "username=\"\""s, "username=\"jo\0e\""s, std::string(10000, ',')}) {
    Digest d;
    EXPECT_EQ(show(step(*d.m, bad)), "bad") << bad;
  }
}

// --- APOP (RFC 1939 section 7) -----------------------------------------------------

TEST(Apop, ProvesAPassword) {
  const std::string challenge = "<1896.697170952@dbc.mtview.ca.us>";
  const auto run = [&](const std::string& user, const std::string& digest, const SaslSecret* secret) {
    const auto m = make_server_mechanism(*find_mechanism("APOP"));
    const std::string claim = show(step(*m, challenge + '\0' + user + '\0' + digest));
    return claim == "claim |" + user ? show(m->supply(secret)) : claim;
  };
  const SaslSecret tan = plain("tanstaaf"), other = plain("tanstaaF"), verifier{true, SecretString("tanstaaf")};
  EXPECT_EQ(run("mrose", "c4c9334bac560ecc979e58001b3e22fb", &tan), "proven");  // the RFC's own
  EXPECT_EQ(run("mrose", "C4C9334BAC560ECC979E58001B3E22FB", &tan), "proven");
  EXPECT_EQ(run("mrose", "c4c9334bac560ecc979e58001b3e22fb", &other), "disproven");
  EXPECT_EQ(run("mrose", "c4c9334bac560ecc979e58001b3e22fb", &verifier), "disproven");
  EXPECT_EQ(run("mrose", "c4c9334bac560ecc979e58001b3e22fb", nullptr), "disproven");
  EXPECT_EQ(run("", "c4c9334bac560ecc979e58001b3e22fb", &tan), "bad");
  EXPECT_EQ(run("mrose", "c4c9", &tan), "bad");
  EXPECT_EQ(show(step(*make_server_mechanism(*find_mechanism("APOP")), std::nullopt)), "bad");
}

// --- vouched for by others (RFC 4422 appendix A, RFC 4505, RFC 4752) ----------------

std::string vouched(const char* name, const SaslContext& context, std::optional<std::string> response) {
  const SaslStep s = step(*make_server_mechanism(*find_mechanism(name), context), std::move(response));
  const auto* v = std::get_if<SaslVouched>(&s);
  return v != nullptr ? "vouched " + v->authzid + "|" + v->authcid : show(s);
}

TEST(External, NeedsAValidCertificateWithAName) {
  SaslContext context;
  context.certificate_name = "joe";
  EXPECT_EQ(vouched("EXTERNAL", context, ""), "bad");
  context.certificate_valid = true;
  EXPECT_EQ(vouched("EXTERNAL", context, ""), "vouched |joe");
  EXPECT_EQ(vouched("EXTERNAL", context, std::nullopt), "challenge ");
  EXPECT_EQ(vouched("EXTERNAL", context, "joe"), "vouched |joe");
  EXPECT_EQ(vouched("EXTERNAL", context, "ann"), "vouched ann|joe");
  EXPECT_EQ(vouched("EXTERNAL", context, "a\0n"s), "bad");
  context.certificate_name = "";  // SEC-15
  EXPECT_EQ(vouched("EXTERNAL", context, ""), "bad");
}

TEST(Anonymous, IsTheUserOfTheSettings) {
  SaslContext context;
  context.anonymous = "guest";
  EXPECT_EQ(vouched("ANONYMOUS", context, "sirhc"), "vouched |guest");
  EXPECT_EQ(vouched("ANONYMOUS", context, ""), "vouched |guest");
  EXPECT_EQ(vouched("ANONYMOUS", context, std::nullopt), "challenge ");
  EXPECT_EQ(vouched("ANONYMOUS", context, std::string(256, 'x')), "bad");
}

TEST(Gssapi, WhoAPrincipalMayBe) {
  EXPECT_TRUE(is_principal_of("joe@EXAMPLE.ORG", "joe@EXAMPLE.ORG", ""));
  EXPECT_TRUE(is_principal_of("joe@EXAMPLE.ORG", "joe", "example.org"));
  EXPECT_FALSE(is_principal_of("joe@EVIL.EXAMPLE", "joe", "example.org"));  // a foreign realm's joe is another one
  EXPECT_FALSE(is_principal_of("joe@EXAMPLE.ORG", "joe", ""));
  EXPECT_FALSE(is_principal_of("joe@EXAMPLE.ORG", "ann", "example.org"));
  EXPECT_FALSE(is_principal_of("joe/admin@EXAMPLE.ORG", "joe", "example.org"));
}

TEST(Gssapi, RefusesWhatIsNoTicket) {
  EXPECT_EQ(vouched("GSSAPI", {}, std::nullopt), "challenge ");
  EXPECT_EQ(vouched("GSSAPI", {}, "no ticket"), "bad");
}

// --- SCRAM -------------------------------------------------------------------------

struct ScramClient {
  const EVP_MD* hash;
  std::string bare, server_first, without_proof, salted;
  std::string bound = "n,,";  // header and channel binding

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
    PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()),
                      reinterpret_cast<const unsigned char*>(salt.data()), static_cast<int>(salt.size()),
                      std::stoi(a.at('i')), hash, EVP_MD_get_size(hash), out);
    salted.assign(reinterpret_cast<char*>(out), static_cast<size_t>(EVP_MD_get_size(hash)));
    without_proof = "c=" + base64_encode(bound) + ",r=" + a.at('r');
    std::string proof = hmac(hash, salted, "Client Key");
    const std::string signature = hmac(hash, hash_of(hash, proof), auth_message());
    for (size_t i = 0; i < proof.size(); ++i) proof[i] = static_cast<char>(proof[i] ^ signature[i]);
    return without_proof + ",p=" + base64_encode(proof);
  }
  std::string server_signature() const {
    return "v=" + base64_encode(hmac(hash, hmac(hash, salted, "Server Key"), auth_message()));
  }
};

struct ScramRun {
  std::unique_ptr<ServerMechanism> m;
  ScramClient client;
  std::string claim;

  ScramRun(const char* name, const EVP_MD* hash, const std::string& user, const SaslSecret* secret,
           const std::string& gs2 = "n,,")
      : m(make_server_mechanism(*find_mechanism(name))), client{hash, "n=" + user + ",r=abcdefgh", {}, {}, {}, "n,,"} {
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
  ScramRun known("SCRAM-SHA-256", EVP_sha256(), "joe", &secret),
      known_again("SCRAM-SHA-256", EVP_sha256(), "joe", &secret);
  ScramRun nobody("SCRAM-SHA-256", EVP_sha256(), "ann", nullptr),
      nobody_again("SCRAM-SHA-256", EVP_sha256(), "ann", nullptr);
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
  PKCS5_PBKDF2_HMAC("pencil", 6, reinterpret_cast<const unsigned char*>(salt.data()), static_cast<int>(salt.size()),
                    4096, EVP_sha256(), 32, salted);
  const std::string key(reinterpret_cast<char*>(salted), 32);
  const std::string verifier = "4096,W22ZaJ0SNY7soEsUEjb6gQ==," +
                               base64_encode(hash_of(EVP_sha256(), hmac(EVP_sha256(), key, "Client Key"))) + "," +
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
  for (const char* bad :
       {"", "4096", "0,YQ==,YQ==,YQ==", "x,YQ==,YQ==,YQ==", "4096,YQ==,YQ==", "4096,YQ==,YQ==,?", "4096,,YQ==,YQ=="})
    EXPECT_FALSE(ScramVerifier::parse(bad)) << bad;
}

TEST(Scram, BadMessages) {
  for (const std::string& bad :
       {""s, "n"s, "n,,"s, "n,,n=joe"s, "p=tls-unique,,n=joe,r=abc"s, "n,,n=joe\0,r=abc"s, "x,,n=joe,r=abc"s}) {
    const auto m = make_server_mechanism(*find_mechanism("SCRAM-SHA-256"));
    EXPECT_EQ(show(step(*m, bad)), "bad") << bad;
  }
  const SaslSecret secret = plain("secret");
  for (const std::string& bad : {""s, "c=biws"s, "c=biws,r=other,p=YWJj"s, "\0"s}) {
    ScramRun run("SCRAM-SHA-256", EVP_sha256(), "joe", &secret);
    EXPECT_EQ(show(step(*run.m, bad)), "disproven") << bad;
  }
}

// --- channel binding (RFC 5802 section 6, RFC 5929, RFC 9266; AUTH-29) -------------

SaslContext bound_to(const std::string& unique, const std::string& exporter) {
  SaslContext context;
  context.tls_unique = unique;
  context.tls_exporter = exporter;
  context.offers_binding = true;
  return context;
}

// How it ends when the client binds to `data` with a connection that has `context`.
std::string end_when_bound(const char* name, const EVP_MD* hash, const SaslContext& context, const std::string& type,
                           const std::string& data) {
  const SaslSecret secret = plain("secret");
  const auto m = make_server_mechanism(*find_mechanism(name), context);
  const std::string header = "p=" + type + ",,";
  ScramClient client{hash, "n=joe,r=abcdefgh", {}, {}, {}, header + data};
  const std::string claim = show(step(*m, header + client.bare));
  if (claim != "claim |joe") return claim;
  client.server_first = show(m->supply(&secret)).substr(10);
  const std::string end = show(step(*m, client.final_message("secret")));
  return end == "proven " + client.server_signature() ? "proven" : end;
}

TEST(ScramPlus, BindsToTheSession) {
  const SaslContext tls12 = bound_to("finished", "exported"), tls13 = bound_to("", std::string(32, '\xe9'));
  for (const auto& [name, hash] :
       {std::pair("SCRAM-SHA-256-PLUS", EVP_sha256()), std::pair("SCRAM-SHA-1-PLUS", EVP_sha1())}) {
    EXPECT_EQ(end_when_bound(name, hash, tls12, "tls-unique", "finished"), "proven");
    EXPECT_EQ(end_when_bound(name, hash, tls12, "tls-exporter", "exported"), "proven");
    EXPECT_EQ(end_when_bound(name, hash, tls13, "tls-exporter", std::string(32, '\xe9')), "proven");
    // Somebody in between has another session on each side.
    EXPECT_EQ(end_when_bound(name, hash, tls12, "tls-unique", "fakished"), "disproven");
    EXPECT_EQ(end_when_bound(name, hash, tls12, "tls-exporter", "finished"), "disproven");
    EXPECT_EQ(end_when_bound(name, hash, tls13, "tls-exporter", ""), "disproven");
  }
}

TEST(ScramPlus, TypesThatTheConnectionDoesNotHave) {
  const SaslContext tls13 = bound_to("", "exported");
  EXPECT_EQ(end_when_bound("SCRAM-SHA-256-PLUS", EVP_sha256(), tls13, "tls-unique", ""), "bad");
  EXPECT_EQ(end_when_bound("SCRAM-SHA-256-PLUS", EVP_sha256(), tls13, "tls-server-end-point", "exported"), "bad");
  EXPECT_EQ(end_when_bound("SCRAM-SHA-256-PLUS", EVP_sha256(), {}, "tls-exporter", ""), "bad");
  for (const char* header : {"n,,", "y,,", ""}) {
    const auto m = make_server_mechanism(*find_mechanism("SCRAM-SHA-256-PLUS"), tls13);
    EXPECT_EQ(show(step(*m, header + "n=joe,r=abc"s)), "bad") << header;
  }
}

// "y": could bind, and was not shown that we can.
TEST(ScramPlus, ADowngradeIsNoticed) {
  const SaslContext offered = bound_to("", "exported");
  SaslContext not_offered = offered;
  not_offered.offers_binding = false;
  const auto first = [](const SaslContext& context, const char* header) {
    return show(step(*make_server_mechanism(*find_mechanism("SCRAM-SHA-256"), context), header + "n=joe,r=abc"s));
  };
  EXPECT_EQ(first(offered, "y,,"), "bad");
  EXPECT_EQ(first(offered, "n,,"), "claim |joe");
  EXPECT_EQ(first(not_offered, "y,,"), "claim |joe");
  EXPECT_EQ(first(not_offered, "p=tls-exporter,,"), "bad");
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
  EXPECT_EQ(token("XOAUTH2", "user=joe\1auth=Bearer " + std::string(30000, 'x') + "\1\1"),
            "|joe|" + std::string(30000, 'x'));
  EXPECT_EQ(show(step(*make_server_mechanism(*find_mechanism("XOAUTH2")), std::nullopt)), "challenge ");
  for (const std::string& bad :
       {""s, "\1"s, "user=joe\1\1"s, "auth=Bearer x\1\1"s, "user=joe\1auth=Bearer x"s, "user=joe\1auth=Bearer x\1"s,
        "user=joe\1auth=Bearer \1\1"s, "user=joe\1auth=Basic x\1\1"s, "user=joe\1auth=Bearer x y\1\1"s,
        "user=joe\1auth=Bearer x\ny\1\1"s, "user=j\0e\1auth=Bearer x\1\1"s, "user=joe\1user=ann\1auth=Bearer x\1\1"s,
        "user=joe\1auth=Bearer x\1\1x"s})
    EXPECT_EQ(token("XOAUTH2", bad), "bad") << bad;
}

TEST(Token, Oauthbearer) {  // RFC 7628 section 3.1
  EXPECT_EQ(token("OAUTHBEARER",
                  "n,a=user@example.com,\1host=server.example.com\1port=143\1auth=Bearer "
                  "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\1\1"),
            "|user@example.com|vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==");
  EXPECT_EQ(token("OAUTHBEARER", "y,a=a=2Cb=3Dc,\1auth=Bearer x\1\1"), "|a,b=c|x");
  for (const std::string& bad :
       {""s, "n,,\1auth=Bearer x\1\1"s, "n,a=,\1auth=Bearer x\1\1"s, "n,a=joe\1auth=Bearer x\1\1"s,
        "p=x,a=joe,\1auth=Bearer x\1\1"s, "n,a=jo=e,\1auth=Bearer x\1\1"s, "n,a=joe,\1\1"s, "n,a=joe,\1auth=\1\1"s,
        "n,a=joe,auth=Bearer x"s})
    EXPECT_EQ(token("OAUTHBEARER", bad), "bad") << bad;
}

}  // namespace
}  // namespace postern
