// Several short texts in one block of memory, for what is kept of every idle session: one pointer here, and no slack
// there.
#ifndef POSTERN_BASE_PACKED_TEXTS_H
#define POSTERN_BASE_PACKED_TEXTS_H

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

namespace postern {

// N texts, each of at most 65,535 bytes; longer ones are cut. Empty ones until assign().
template <size_t N>
class PackedTexts {
 public:
  void assign(const std::array<std::string_view, N>& texts) {
    std::array<uint16_t, N> sizes;
    size_t total = sizeof sizes;
    for (size_t i = 0; i < N; ++i)
      total += sizes[i] = static_cast<uint16_t>(texts[i].size() < UINT16_MAX ? texts[i].size() : UINT16_MAX);
    auto block = std::make_unique<char[]>(total);
    char* at = block.get();
    at = put(at, sizes.data(), sizeof sizes);
    for (size_t i = 0; i < N; ++i) at = put(at, texts[i].data(), sizes[i]);
    block_ = std::move(block);  // `texts` may be views of the old one
  }

  // Valid until the next assign().
  std::string_view operator[](size_t index) const {
    if (!block_) return {};
    std::array<uint16_t, N> sizes;
    memcpy(sizes.data(), block_.get(), sizeof sizes);
    size_t at = sizeof sizes;
    for (size_t i = 0; i < index; ++i) at += sizes[i];
    return {block_.get() + at, sizes[index]};
  }

 private:
  static char* put(char* at, const void* from, size_t size) {
    if (size > 0) memcpy(at, from, size);
    return at + size;
  }
  std::unique_ptr<char[]> block_;
};

}  // namespace postern

#endif
