// The small parsers: base64, TAB-escaping, addresses, networks, numbers, printable text.
#include "base/address.h"
#include "base/base64.h"
#include "base/text.h"
#include "fuzz/expect.h"

using namespace postern;
using fuzz::expect;

namespace {

void base64(std::string_view input) {
  expect(base64_decode(base64_encode(input)) == input, "base64 round trip");
  const auto decoded = base64_decode(input);
  expect(!decoded || base64_encode(*decoded) == input, "base64 has one form for each text");
  const auto secret = base64_decode_secret(input);
  expect(secret.has_value() == decoded.has_value() && (!secret || secret->reveal() == *decoded),
         "secrets decode the same");
}

void escapes(std::string_view input) {
  const std::string escaped = tab_escape(input);
  expect(escaped.find_first_of(std::string_view("\t\n\r\0", 4)) == std::string::npos, "escaped text has no separators");
  expect(tab_unescape(escaped) == input, "TAB-escaping round trip");
  const auto plain = tab_unescape(input);
  expect(!plain || tab_unescape(tab_escape(*plain)) == plain, "unescaped text survives");
}

void addresses(std::string_view input) {
  if (const auto ip = IpAddress::parse(input)) {
    expect(IpAddress::parse(ip->text()) == ip, "an address reads its own text");
    expect(IpAddress::from_bytes(ip->bytes()) == *ip, "an address reads its own bytes");
  }
  if (const auto network = Network::parse(input))
    expect(network->bits <= network->base.bytes().size() * 8 && network->contains(network->base),
           "a network holds its base");
}

void text(std::string_view input) {
  expect(!has_control(printable(input)), "printable text has no control bytes");
  expect(printable(input, 20).size() <= 20 * 4 + 3, "printable text is bounded");
  const auto number = parse_number(input);
  expect(!number || *number <= UINT64_MAX, "a number is one");
  for (std::string_view word : split_words(input)) expect(!word.empty(), "words are not empty");
  size_t size = 0;
  for (std::string_view field : split_fields(input, ',')) size += field.size() + 1;
  expect(size == input.size() + 1, "fields and separators are the text");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  base64(input);
  escapes(input);
  addresses(input);
  text(input);
  return 0;
}
