#include "tls/keys.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <memory>
#include <string>

namespace postern {

std::string openssl_reason() {
  std::string text;
  while (const unsigned long code = ERR_get_error()) {
    if (const char* reason = ERR_reason_error_string(code)) text = reason;
  }
  return text.empty() ? "unknown reason" : text;
}

Status LocalKeys::install(SSL_CTX* context, std::string_view key_path) {
  const SecretString* pem = lookup_(key_path);
  if (pem == nullptr) return Error("no such file");
  const std::unique_ptr<BIO, int (*)(BIO*)> bio(BIO_new_mem_buf(pem->reveal().data(), static_cast<int>(pem->size())),
                                                BIO_free);
  // An empty pass phrase callback: a key that needs one is an error, never a question to a terminal.
  const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(
      PEM_read_bio_PrivateKey(
          bio.get(), nullptr, [](char*, int, int, void*) { return 0; }, nullptr),
      EVP_PKEY_free);
  if (!key) return Error("not a private key without pass phrase: " + openssl_reason());
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1)
    return Error("does not belong to the certificate: " + openssl_reason());
  return {};
}

}  // namespace postern
