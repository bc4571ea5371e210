// The admin socket: what decodes must encode again to what decodes the same.
#include "ipc/admin.h"

#include "fuzz/expect.h"

using namespace postern;
using fuzz::expect;

namespace {

std::string without_end(std::string line) {
  expect(!line.empty() && line.back() == '\n' && line.find('\n') == line.size() - 1, "one line");
  line.pop_back();
  return line;
}

void request(std::string_view input) {
  const auto first = decode_admin_request(input);
  if (!first) return;
  const std::string line = without_end(encode_admin(*first));
  if (line.size() > kMaxAdminLine) return;
  const auto again = decode_admin_request(line);
  expect(static_cast<bool>(again), "a request decodes again");
  expect(encode_admin(*again) == line + '\n', "a round trip changes nothing");
}

void answer(std::string_view input) {
  const auto first = decode_admin_answer(input);
  if (!first) return;
  const std::string line = without_end(std::visit([](const auto& a) { return encode_admin(a); }, *first));
  if (line.size() > kMaxAdminLine) return;
  const auto again = decode_admin_answer(line);
  expect(static_cast<bool>(again), "an answer decodes again");
  expect(std::visit([](const auto& a) { return encode_admin(a); }, *again) == line + '\n',
         "a round trip changes nothing");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  request(input);
  answer(input);
  return 0;
}
