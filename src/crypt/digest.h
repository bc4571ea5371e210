// Message digests and hex, from OpenSSL.
#ifndef POSTERN_CRYPT_DIGEST_H
#define POSTERN_CRYPT_DIGEST_H

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace postern {

enum class DigestKind : uint8_t { Md4, Md5, Sha1, Sha256, Sha384, Sha512, Sha3_256, Sha3_512, kCount };

// "md5", "sha3-256"; nothing for other names.
std::optional<DigestKind> find_digest(std::string_view name);
// Raw bytes. Empty when the library refuses the algorithm (FIPS mode and MD5; MD4 without the legacy provider).
std::string digest(DigestKind kind, std::string_view bytes);
// Of `first` followed by `second`, without joining them in memory.
std::string digest(DigestKind kind, std::string_view first, std::string_view second);
// HMAC-SHA256. False when the library refuses.
bool keyed_digest(std::string_view key, std::string_view bytes, std::span<char, 32> out);
// Fit for keys and salts. False when there are none.
bool random_bytes(std::span<char> out);
// In bytes: 16 to 64.
size_t digest_size(DigestKind kind);

// Lower case.
std::string hex_encode(std::string_view bytes);
// Either case; nothing for an odd length or other characters.
std::optional<std::string> hex_decode(std::string_view text);

}  // namespace postern

#endif
