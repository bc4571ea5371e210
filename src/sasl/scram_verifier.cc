#include "sasl/scram_verifier.h"

#include "base/base64.h"
#include "base/text.h"

namespace postern {

std::optional<ScramVerifier> ScramVerifier::parse(std::string_view text) {
  const auto parts = split_fields(text, ',');
  if (parts.size() != 4) return std::nullopt;
  const auto iterations = parse_number(parts[0], 10'000'000);
  if (!iterations || *iterations == 0) return std::nullopt;
  for (size_t i = 1; i < 4; ++i)
    if (const auto decoded = base64_decode(parts[i]); !decoded || decoded->empty()) return std::nullopt;
  return ScramVerifier{static_cast<uint32_t>(*iterations), parts[1], parts[2], parts[3]};
}

}  // namespace postern
