#include "proto/facts.h"

#include <algorithm>

namespace postern {

bool is_session_id(std::string_view text) {
  static constexpr std::string_view kForbidden = "\"\\(){<>";
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return c > 0x20 && c < 0x7f && kForbidden.find(c) == std::string_view::npos;
  });
}

}  // namespace postern
