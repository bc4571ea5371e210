// Where private keys come from. Contexts know only this interface, so that a process of its own can hold
// the keys (PRIV-4) without a change in what uses them.
#ifndef POSTERN_TLS_KEYS_H
#define POSTERN_TLS_KEYS_H

#include <functional>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"

typedef struct ssl_ctx_st SSL_CTX;

namespace postern {

// Gives certificates their private keys.
class KeySource {
 public:
  virtual ~KeySource() = default;
  // Installs in `context`, whose certificate is set, the key that the settings name as `key_path`. The
  // error says what is wrong with it (missing, unreadable, belongs to another certificate).
  virtual Status install(SSL_CTX* context, std::string_view key_path) = 0;
};

// Keys as PEM in this process' memory, handed over by the master at start.
class LocalKeys final : public KeySource {
 public:
  // `lookup` returns the PEM by path, or null. Must outlive this.
  using Lookup = std::function<const SecretString*(std::string_view path)>;
  explicit LocalKeys(Lookup lookup) : lookup_(std::move(lookup)) {}
  Status install(SSL_CTX* context, std::string_view key_path) override;

 private:
  Lookup lookup_;
};

// The newest reason in OpenSSL's error queue, in words; empties the queue.
std::string openssl_reason();

}  // namespace postern

#endif
