// Keys of TLS session tickets. All workers derive the same ones from what the master gave them, and replace them at the
// same times without a word to each other; a key that is past cannot be had back from what a worker still holds.
#ifndef POSTERN_TLS_TICKETS_H
#define POSTERN_TLS_TICKETS_H

#include <array>
#include <cstdint>
#include <string_view>

#include "base/clock.h"
#include "base/secret.h"

typedef struct ssl_ctx_st SSL_CTX;
typedef struct ssl_st SSL;
typedef struct evp_cipher_ctx_st EVP_CIPHER_CTX;
typedef struct evp_mac_ctx_st EVP_MAC_CTX;

namespace postern {

// What the master hands to every worker: the start of the chain of keys.
struct TicketSeed {
  static constexpr size_t kSize = 32;
  SecretString secret;  // kSize random bytes
  uint64_t began = 0;   // milliseconds of the monotonic clock, which all processes of the machine share
};

class TicketKeys {
 public:
  // `period`: how long tickets are issued under one key; they are taken for as long again. `clock` outlives this.
  TicketKeys(TicketSeed seed, Milliseconds period, const Clock& clock);
  TicketKeys(const TicketKeys&) = delete;
  TicketKeys& operator=(const TicketKeys&) = delete;

  // Tickets of this context's clients are under our keys from now on. This must outlive the context's connections.
  void use_in(SSL_CTX* context);

 private:
  using Name = std::array<unsigned char, 16>;
  struct Key {
    Name name{};
    SecretString cipher, mac;
  };

  static int on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                       int sealing);
  int seal(unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac);
  int open(const unsigned char* name, const unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac);
  void advance();
  Key derive() const;

  SecretString chain_;  // makes the current key, and the next chain_
  uint64_t number_ = 0;
  const uint64_t began_;
  const Milliseconds period_;
  const Clock& clock_;
  Key current_, previous_;
};

}  // namespace postern

#endif
