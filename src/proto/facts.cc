#include "proto/facts.h"

#include <algorithm>

namespace postern {

bool is_session_id(std::string_view text) {
  static constexpr std::string_view kForbidden = "\"\\(){<>";
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return c > 0x20 && c < 0x7f && kForbidden.find(c) == std::string_view::npos;
  });
}

void set_fact(ProtocolFacts& facts, std::string_view name, std::string_view value) {
  for (auto& [known, old] : facts)
    if (known == name) return void(old = value);
  facts.emplace_back(name, value);
}

std::string_view find_fact(const ProtocolFacts& facts, std::string_view name) {
  for (const auto& [known, value] : facts)
    if (known == name) return value;
  return {};
}

}  // namespace postern
