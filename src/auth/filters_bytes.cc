// Filters that give bytes or take them: digests and encodings.
#include <algorithm>

#include "auth/variable_filters.h"
#include "base/base64.h"
#include "base/text.h"

namespace postern {

namespace {

// Each round hashes the salt and what the one before gave. Empty when there is no such digest.
std::string hash_rounds(DigestKind kind, std::string text, std::string_view salt, int64_t rounds) {
  for (int64_t i = 0; i < rounds; ++i) {
    text = digest(kind, salt, text);
    if (text.empty()) break;
  }
  return text;
}

// The first `bits` bits, moved to the end of as many bytes as they need.
void truncate_bits(std::string& bytes, size_t bits) {
  if (bits >= bytes.size() * 8) return;
  bytes.resize((bits + 7) / 8);
  const unsigned shift = bits % 8 == 0 ? 0 : 8 - static_cast<unsigned>(bits % 8);
  unsigned above = 0;
  for (char& c : bytes) {
    const unsigned now = static_cast<unsigned char>(c);
    c = static_cast<char>(((above << 8 | now) >> shift) & 0xff);
    above = now;
  }
}

void put(VariableValue& value, std::string bytes) {
  value.missing = bytes.empty();
  value.text = std::move(bytes);
  value.binary = true;
}

void hash(VariableValue& value, const FilterCall& call, std::optional<DigestKind> kind, size_t first) {
  if (!kind) return put(value, {});
  put(value, hash_rounds(*kind, std::move(value.text), call.text(first + 1), call.number(first, 1).value_or(1)));
}

// '-' and '_' instead of '+' and '/' (RFC 4648 section 5).
void swap_alphabet(std::string& text, std::string_view from, std::string_view to) {
  for (char& c : text)
    if (const size_t at = from.find(c); at != std::string_view::npos) c = to[at];
}

}  // namespace

void filter_hash(VariableValue& value, const FilterCall& call) { hash(value, call, find_digest(call.text(0)), 1); }
void filter_digest(VariableValue& value, const FilterCall& call) { hash(value, call, call.row().digest, 0); }

void filter_md5_23(VariableValue& value, const FilterCall&) {
  value.text = hex_encode(digest(DigestKind::Md5, value.text));
}

// %{METHOD;OPTIONS:NAME}: method, rounds, salt, bits, format.
void filter_hash_23(VariableValue& value, const FilterCall& call) {
  hash(value, call, find_digest(call.text(0)), 1);
  if (value.missing) return;
  if (const int64_t bits = call.number(3, 0).value_or(0); bits > 0)
    truncate_bits(value.text, static_cast<size_t>(bits));
  const std::string format = call.text(4, "hex");
  value.binary = false;
  value.text = format.starts_with("base64") ? base64_encode(value.text) : hex_encode(value.text);
  if (format == "hexuc") value.text = to_upper(value.text);
  if (format == "base64url") swap_alphabet(value.text, "+/", "-_");
}

void filter_truncate(VariableValue& value, const FilterCall& call) {
  const auto bytes = call.number(0, INT64_MAX / 8), bits = call.number(1, INT64_MAX);
  value.missing = !bytes || !bits || *bytes < 0 || *bits < 0;
  if (value.missing) return;
  if (static_cast<uint64_t>(*bytes) < value.text.size()) value.text.resize(static_cast<size_t>(*bytes));
  truncate_bits(value.text, static_cast<size_t>(*bits));
}

void filter_hexlify(VariableValue& value, const FilterCall& call) {
  value.text = fit_digits(hex_encode(value.text), call.number(0, 0).value_or(0));
  value.binary = false;
}

void filter_unhexlify(VariableValue& value, const FilterCall&) {
  auto bytes = hex_decode(value.text);
  value = {bytes.value_or(""), !bytes, true};
}

void filter_base64(VariableValue& value, const FilterCall& call) {
  std::string text = call.number(0, 1) == 0 ? base64_encode_unpadded(value.text) : base64_encode(value.text);
  if (call.number(1, 0) != 0) swap_alphabet(text, "+/", "-_");
  value = {std::move(text)};
}

void filter_unbase64(VariableValue& value, const FilterCall& call) {
  if (call.number(1, 0) != 0) swap_alphabet(value.text, "-_", "+/");
  if (call.number(0, 1) == 0) value.text.append((4 - value.text.size() % 4) % 4, '=');
  auto bytes = base64_decode(value.text);
  value = {bytes.value_or(""), !bytes, true};
}

}  // namespace postern
