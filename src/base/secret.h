// Passwords, tokens and keys: wiped when they die, never printed, never compared in variable time.
#ifndef POSTERN_BASE_SECRET_H
#define POSTERN_BASE_SECRET_H

#include <cstddef>
#include <string_view>

namespace postern {

// Bytes that are overwritten before their memory is given back. No operator<<, no ==.
class SecretString {
 public:
  SecretString() = default;
  explicit SecretString(std::string_view text) { append(text); }
  SecretString(const SecretString& other) { append(other.reveal()); }
  SecretString(SecretString&& other) noexcept;
  SecretString& operator=(const SecretString& other);
  SecretString& operator=(SecretString&& other) noexcept;
  ~SecretString() { wipe(); }

  void append(std::string_view more);
  // Overwrites and frees; the secret is empty afterwards.
  void wipe();

  // The bytes themselves: only for codecs, hashes and sockets. Valid until the next change.
  std::string_view reveal() const { return {data_, size_}; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  char* data_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

// Overwrites `size` bytes at `data`; the compiler cannot leave it out.
void secure_zero(void* data, size_t size);

// Whether both are equal, in a time that depends on the lengths only.
bool equal_constant_time(std::string_view a, std::string_view b);

}  // namespace postern

#endif
