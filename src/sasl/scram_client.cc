#include "sasl/scram_client.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "base/base64.h"
#include "base/check.h"
#include "base/text.h"

namespace postern {

namespace {

const EVP_MD* digest_of(ScramHash hash) { return hash == ScramHash::Sha1 ? EVP_sha1() : EVP_sha256(); }

SecretString hmac(ScramHash hash, std::string_view key, std::string_view text) {
  unsigned char made[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(digest_of(hash), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
       text.size(), made, &size);
  SecretString out({reinterpret_cast<char*>(made), size});
  secure_zero(made, sizeof made);
  return out;
}

SecretString digest(ScramHash hash, std::string_view text) {
  unsigned char made[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), made, &size, digest_of(hash), nullptr);
  return SecretString({reinterpret_cast<char*>(made), size});
}

// RFC 5802 section 2.2: Hi(). SASLprep is left out: it changes no ASCII password.
SecretString salted(ScramHash hash, std::string_view password, std::string_view salt, uint64_t iterations) {
  unsigned char made[EVP_MAX_MD_SIZE];
  const int size = EVP_MD_get_size(digest_of(hash));
  PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()),
                    reinterpret_cast<const unsigned char*>(salt.data()), static_cast<int>(salt.size()),
                    static_cast<int>(iterations), digest_of(hash), size, made);
  SecretString out({reinterpret_cast<char*>(made), static_cast<size_t>(size)});
  secure_zero(made, sizeof made);
  return out;
}

// A comma or equals sign in a name is written =2C, =3D (RFC 5802 section 5.1).
std::string saslname(std::string_view name) {
  std::string out;
  for (const char c : name) out += c == ',' ? "=2C" : c == '=' ? "=3D" : std::string(1, c);
  return out;
}

struct ServerFirst {
  std::string_view nonce;
  std::string salt;
  uint64_t iterations = 0;
};

// An extension that we must understand ("m=") stands before the nonce, and so is none of this.
std::optional<ServerFirst> parse_server_first(std::string_view text) {
  const auto parts = split_fields(text, ',');
  if (parts.size() < 3 || !parts[0].starts_with("r=") || !parts[1].starts_with("s=") || !parts[2].starts_with("i="))
    return std::nullopt;
  auto salt = base64_decode(parts[1].substr(2));
  const auto iterations = parse_number(parts[2].substr(2), ScramClient::kMaxIterations);
  if (!salt || salt->empty() || !iterations || *iterations < ScramClient::kMinIterations) return std::nullopt;
  return ServerFirst{parts[0].substr(2), std::move(*salt), *iterations};
}

}  // namespace

std::string ScramClient::make_nonce() {
  unsigned char bytes[18];
  POSTERN_CHECK(RAND_bytes(bytes, sizeof bytes) == 1, "no random bytes");
  return base64_encode({reinterpret_cast<char*>(bytes), sizeof bytes});
}

std::string ScramClient::first(std::string_view authzid, std::string_view authcid, std::string_view nonce) {
  const bool other = !authzid.empty() && authzid != authcid;
  gs2_header_ = other ? "n,a=" + saslname(authzid) + "," : "n,,";
  nonce_ = nonce;
  first_bare_ = "n=" + saslname(authcid) + ",r=" + nonce_;
  signature_.clear();
  return gs2_header_ + first_bare_;
}

std::optional<SecretString> ScramClient::prove(std::string_view server_first, std::string_view password) {
  if (server_first.size() > kLongestMessage) return std::nullopt;
  const auto server = parse_server_first(server_first);
  if (!server || server->nonce.size() <= nonce_.size() || !server->nonce.starts_with(nonce_)) return std::nullopt;
  const std::string without_proof = "c=" + base64_encode(gs2_header_) + ",r=" + std::string(server->nonce);
  const std::string message = first_bare_ + "," + std::string(server_first) + "," + without_proof;
  const SecretString key = salted(hash_, password, server->salt, server->iterations);
  const SecretString client_key = hmac(hash_, key.reveal(), "Client Key"),
                     stored_key = digest(hash_, client_key.reveal());
  const SecretString client_signature = hmac(hash_, stored_key.reveal(), message);
  std::string proof(client_key.reveal());
  for (size_t i = 0; i < proof.size(); ++i) proof[i] = static_cast<char>(proof[i] ^ client_signature.reveal()[i]);
  signature_ = base64_encode(hmac(hash_, hmac(hash_, key.reveal(), "Server Key").reveal(), message).reveal());
  return SecretString(without_proof + ",p=" + base64_encode(proof));
}

bool ScramClient::confirms(std::string_view server_final) const {
  if (signature_.empty() || !server_final.starts_with("v=")) return false;
  return equal_constant_time(server_final.substr(2, server_final.find(',') - 2), signature_);
}

}  // namespace postern
