#include "crypt/digest.h"

#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/rand.h>

#include <utility>

namespace postern {

namespace {

struct DigestRow {
  const char* name;  // OpenSSL's
  std::string_view word;
  size_t size;
  const char* provider = nullptr;  // where it is not in the default one
};
constexpr DigestRow kDigests[] = {
    {"MD4", "md4", 16, "legacy"}, {"MD5", "md5", 16},       {"SHA1", "sha1", 20},         {"SHA256", "sha256", 32},
    {"SHA384", "sha384", 48},     {"SHA512", "sha512", 64}, {"SHA3-256", "sha3-256", 32}, {"SHA3-512", "sha3-512", 64},
};
static_assert(std::size(kDigests) == static_cast<size_t>(DigestKind::kCount));

// A provider that is loaded gets a library context of its own: in the default one it would push the default
// provider out.
EVP_MD* fetch(const DigestRow& row) {
  if (row.provider == nullptr) return EVP_MD_fetch(nullptr, row.name, nullptr);
  OSSL_LIB_CTX* context = OSSL_LIB_CTX_new();
  if (context == nullptr || OSSL_PROVIDER_load(context, row.provider) == nullptr)
    return OSSL_LIB_CTX_free(context), nullptr;
  return EVP_MD_fetch(context, row.name, nullptr);  // the context stays: the method is of it
}

// Fetched once, at the first use: EVP_sha256() and friends look the algorithm up at every use.
const EVP_MD* method(DigestKind kind) {
  static EVP_MD* methods[std::size(kDigests)];
  static bool tried[std::size(kDigests)];
  const auto i = static_cast<size_t>(kind);
  if (!std::exchange(tried[i], true)) methods[i] = fetch(kDigests[i]);
  return methods[i];
}

// Null when the library refuses.
EVP_MAC_CTX* new_hmac_sha256() {
  EVP_MAC* mac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  EVP_MAC_CTX* context = mac == nullptr ? nullptr : EVP_MAC_CTX_new(mac);
  EVP_MAC_free(mac);
  char name[] = "SHA256";
  const OSSL_PARAM digest[] = {OSSL_PARAM_construct_utf8_string("digest", name, 0), OSSL_PARAM_construct_end()};
  if (context == nullptr || EVP_MAC_CTX_set_params(context, digest) == 1) return context;
  EVP_MAC_CTX_free(context);
  return nullptr;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::optional<DigestKind> find_digest(std::string_view name) {
  for (size_t i = 0; i < std::size(kDigests); ++i)
    if (kDigests[i].word == name) return static_cast<DigestKind>(i);
  return std::nullopt;
}

std::string digest(DigestKind kind, std::string_view bytes) { return digest(kind, bytes, {}); }

std::string digest(DigestKind kind, std::string_view first, std::string_view second) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  const bool done =
      context != nullptr && method(kind) != nullptr && EVP_DigestInit_ex(context, method(kind), nullptr) == 1 &&
      EVP_DigestUpdate(context, first.data(), first.size()) == 1 &&
      EVP_DigestUpdate(context, second.data(), second.size()) == 1 && EVP_DigestFinal_ex(context, out, &size) == 1;
  EVP_MD_CTX_free(context);
  return done ? std::string(reinterpret_cast<char*>(out), size) : std::string();
}

// The algorithm is fetched, and told its hash, once; each use is a copy of that (HMAC() would do both again).
bool keyed_digest(std::string_view key, std::string_view bytes, std::span<char, 32> out) {
  static EVP_MAC_CTX* const made = new_hmac_sha256();
  EVP_MAC_CTX* context = made == nullptr ? nullptr : EVP_MAC_CTX_dup(made);
  size_t size = 0;
  const bool done =
      context != nullptr &&
      EVP_MAC_init(context, reinterpret_cast<const unsigned char*>(key.data()), key.size(), nullptr) == 1 &&
      EVP_MAC_update(context, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()) == 1 &&
      EVP_MAC_final(context, reinterpret_cast<unsigned char*>(out.data()), &size, out.size()) == 1;
  EVP_MAC_CTX_free(context);
  return done && size == out.size();
}

bool random_bytes(std::span<char> out) {
  return RAND_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(out.size())) == 1;
}

size_t digest_size(DigestKind kind) { return kDigests[static_cast<size_t>(kind)].size; }

std::string hex_encode(std::string_view bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (char c : bytes) {
    out += kHex[static_cast<unsigned char>(c) >> 4];
    out += kHex[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

std::optional<std::string> hex_decode(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string out;
  out.reserve(text.size() / 2);
  for (size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_value(text[i]), low = hex_value(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high << 4 | low);
  }
  return out;
}

}  // namespace postern
