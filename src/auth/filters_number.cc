// Filters that count, and 2.3's hashes, which are numbers.
#include <fmt/core.h>

#include <charconv>

#include "auth/variable_filters.h"
#include "base/text.h"

namespace postern {

namespace {

// Nothing for a division by zero and for what does not fit.
using Operation = bool (*)(int64_t a, int64_t b, int64_t& out);
struct OperationRow {
  char sign;
  Operation run;
};
constexpr OperationRow kOperations[] = {
    {'+', [](int64_t a, int64_t b, int64_t& out) { return !__builtin_add_overflow(a, b, &out); }},
    {'-', [](int64_t a, int64_t b, int64_t& out) { return !__builtin_sub_overflow(a, b, &out); }},
    {'*', [](int64_t a, int64_t b, int64_t& out) { return !__builtin_mul_overflow(a, b, &out); }},
    {'/', [](int64_t a, int64_t b, int64_t& out) { return b != 0 && b != -1 && (out = a / b, true); }},
    {'%', [](int64_t a, int64_t b, int64_t& out) { return b > 0 && (out = a % b, true); }},
};

// The last eight, the first of them highest.
uint64_t number_of(std::string_view bytes) {
  uint64_t out = 0;
  for (char c : bytes) out = out << 8 | static_cast<unsigned char>(c);
  return out;
}

void set_number(VariableValue& value, uint64_t number) { value = {std::to_string(number)}; }

// 2.3 takes a number modulo the width, and pads its last 32 bits to the offset.
void put_hash(VariableValue& value, uint64_t hash, const FilterCall& call) {
  const int64_t modulo = call.number(0, 0).value_or(0), width = call.number(1, 0).value_or(0);
  if (modulo > 0) hash %= static_cast<uint64_t>(modulo);
  value.text = fmt::format("{:0{}x}", static_cast<uint32_t>(hash), width > 0 ? width : 1);
}

void take_bytes(VariableValue& value, bool swapped) {
  if (value.text.size() > sizeof(uint64_t)) return void(value.missing = true);
  if (swapped) value.text.assign(value.text.rbegin(), value.text.rend());
  set_number(value, number_of(value.text));
}

}  // namespace

std::string fit_digits(std::string text, int64_t width) {
  const auto wanted =
      static_cast<size_t>(std::min<int64_t>(width < 0 ? -std::max<int64_t>(width, -4096) : width, 4096));
  if (width == 0) return text;
  if (text.size() < wanted) text.insert(width < 0 ? text.size() : 0, wanted - text.size(), '0');
  return text.substr(0, wanted);
}

// Bytes are a number for '%' alone.
void filter_calculate(VariableValue& value, const FilterCall& call) {
  const std::string sign = call.text(0);
  const auto right = call.number(1);
  if (value.binary && sign == "%" && right && *right > 0)
    return set_number(value, number_of(value.text) % static_cast<uint64_t>(*right));
  const auto left = parse_signed(value.text);
  int64_t out = 0;
  bool good = false;
  for (const OperationRow& row : kOperations)
    if (sign == std::string_view(&row.sign, 1)) good = left && right && row.run(*left, *right, out);
  value = {good ? std::to_string(out) : std::string(), !good};
}

void filter_hex(VariableValue& value, const FilterCall& call) {
  const auto number = parse_number(value.text);
  value = {number ? fit_digits(fmt::format("{:x}", *number), call.number(0, 0).value_or(0)) : std::string(), !number};
}

void filter_unhex(VariableValue& value, const FilterCall&) {
  uint64_t number = 0;
  const char* end = value.text.data() + value.text.size();
  const auto [stop, error] = std::from_chars(value.text.data(), end, number, 16);
  if (error != std::errc() || stop != end) return void(value.missing = true);
  set_number(value, number);
}

void filter_lenumber(VariableValue& value, const FilterCall&) { take_bytes(value, true); }
void filter_benumber(VariableValue& value, const FilterCall&) { take_bytes(value, false); }

// What is no number is 0.
void filter_hex_23(VariableValue& value, const FilterCall&) {
  value.text = fmt::format("{:x}", parse_number(value.text).value_or(0));
}

// The hash function of ELF files.
void filter_old_hash(VariableValue& value, const FilterCall& call) {
  uint32_t hash = 0;
  for (char c : value.text) {
    hash = (hash << 4) + static_cast<unsigned char>(c);
    const uint32_t high = hash & 0xf0000000;
    hash = (hash ^ high >> 24) & ~high;
  }
  put_hash(value, hash, call);
}

// The first half of the MD5 digest.
void filter_new_hash(VariableValue& value, const FilterCall& call) {
  const std::string md5 = digest(DigestKind::Md5, value.text);
  if (md5.empty()) return void(value.missing = true);
  put_hash(value, number_of(std::string_view(md5).substr(0, 8)), call);
}

}  // namespace postern
