#include "base/secret.h"

#include <string.h>

#include <algorithm>
#include <new>
#include <utility>

namespace postern {

void secure_zero(void* data, size_t size) {
  if (size > 0) ::explicit_bzero(data, size);
}

bool equal_constant_time(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned char difference = 0;
  for (size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned char>(a[i] ^ b[i]);
  return difference == 0;
}

SecretString::SecretString(SecretString&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      capacity_(std::exchange(other.capacity_, 0)) {}

SecretString& SecretString::operator=(const SecretString& other) {
  if (this != &other) {
    wipe();
    append(other.reveal());
  }
  return *this;
}

SecretString& SecretString::operator=(SecretString&& other) noexcept {
  if (this != &other) {
    wipe();
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    capacity_ = std::exchange(other.capacity_, 0);
  }
  return *this;
}

void SecretString::append(std::string_view more) {
  if (more.empty()) return;
  if (size_ + more.size() > capacity_) {
    const size_t wanted = std::max<size_t>(32, 2 * (size_ + more.size()));
    char* bigger = static_cast<char*>(::operator new(wanted));
    if (size_ > 0) memcpy(bigger, data_, size_);
    memcpy(bigger + size_, more.data(), more.size());
    const size_t size = size_ + more.size();
    wipe();
    data_ = bigger;
    size_ = size;
    capacity_ = wanted;
    return;
  }
  memcpy(data_ + size_, more.data(), more.size());
  size_ += more.size();
}

void SecretString::wipe() {
  if (data_ == nullptr) return;
  secure_zero(data_, capacity_);
  ::operator delete(data_);
  data_ = nullptr;
  size_ = capacity_ = 0;
}

}  // namespace postern
