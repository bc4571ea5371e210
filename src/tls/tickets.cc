#include "tls/tickets.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace postern {

namespace {

// What OpenSSL wants to hear of a ticket.
constexpr int kFailed = -1, kNotOurs = 0, kGood = 1, kGoodButRenew = 2;

int ex_index() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

// One of the secrets that follow from `chain`.
SecretString follow(const SecretString& chain, std::string_view what) {
  unsigned char out[32];
  unsigned size = sizeof out;
  const std::string_view key = chain.reveal();
  const void* made = HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
                          reinterpret_cast<const unsigned char*>(what.data()), what.size(), out, &size);
  POSTERN_CHECK(made != nullptr && size == sizeof out, "HMAC");
  SecretString secret(std::string_view(reinterpret_cast<const char*>(out), size));
  secure_zero(out, sizeof out);
  return secret;
}

const unsigned char* bytes_of(const SecretString& secret) {
  return reinterpret_cast<const unsigned char*>(secret.reveal().data());
}

bool begin_mac(EVP_MAC_CTX* mac, const SecretString& key) {
  char digest[] = "SHA256";
  OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                             OSSL_PARAM_construct_end()};
  return EVP_MAC_init(mac, bytes_of(key), key.size(), parameters) == 1;
}

}  // namespace

TicketKeys::TicketKeys(TicketSeed seed, Milliseconds period, const Clock& clock)
    : chain_(std::move(seed.secret)), began_(seed.began), period_(period), clock_(clock), current_(derive()) {}

void TicketKeys::use_in(SSL_CTX* context) {
  SSL_CTX_set_ex_data(context, ex_index(), this);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(context, &TicketKeys::on_ticket);
}

TicketKeys::Key TicketKeys::derive() const {
  Key key;
  const SecretString name = follow(chain_, "name");
  std::copy_n(bytes_of(name), key.name.size(), key.name.begin());
  key.cipher = follow(chain_, "cipher");
  key.mac = follow(chain_, "mac");
  return key;
}

// Whoever comes late makes all steps at once; nobody needs a timer for it.
void TicketKeys::advance() {
  const auto now =
      static_cast<uint64_t>(std::chrono::duration_cast<Milliseconds>(clock_.now().time_since_epoch()).count());
  const uint64_t due = now <= began_ ? 0 : (now - began_) / static_cast<uint64_t>(period_.count());
  for (; number_ < due; ++number_) {
    chain_ = follow(chain_, "next");
    previous_ = std::exchange(current_, derive());
  }
}

int TicketKeys::on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                          int sealing) {
  auto* keys = static_cast<TicketKeys*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), ex_index()));
  if (keys == nullptr) return kFailed;
  keys->advance();
  if (sealing != 0) return keys->seal(name, iv, cipher, mac);
  const int opened = keys->open(name, iv, cipher, mac);
  // TLS 1.3 clients use a ticket once (RFC 8446, C.4): they always need another.
  return opened == kGood && SSL_version(ssl) >= TLS1_3_VERSION ? kGoodButRenew : opened;
}

int TicketKeys::seal(unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac) {
  std::copy(current_.name.begin(), current_.name.end(), name);
  const EVP_CIPHER* how = EVP_aes_256_cbc();
  if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(how)) != 1) return kFailed;
  const bool ready =
      EVP_EncryptInit_ex(cipher, how, nullptr, bytes_of(current_.cipher), iv) == 1 && begin_mac(mac, current_.mac);
  return ready ? kGood : kFailed;
}

int TicketKeys::open(const unsigned char* name, const unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac) {
  const auto is = [name](const Key& key) {
    return !key.cipher.empty() && std::equal(key.name.begin(), key.name.end(), name);
  };
  const Key* key = is(current_) ? &current_ : is(previous_) ? &previous_ : nullptr;
  if (key == nullptr) return kNotOurs;
  const bool ready = begin_mac(mac, key->mac) &&
                     EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, bytes_of(key->cipher), iv) == 1;
  return !ready ? kFailed : key == &current_ ? kGood : kGoodButRenew;
}

}  // namespace postern
