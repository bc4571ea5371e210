// PROXY headers: a verdict never changes with what comes behind, and what we write we read.
#include "proto/proxy_header.h"

#include "fuzz/expect.h"

using namespace postern;
using fuzz::expect;
using State = ProxyHeaderResult::State;

namespace {

void written_again(const ProxyHeader& header) {
  for (const auto version : {ProxyHeaderVersion::V1, ProxyHeaderVersion::V2}) {
    const std::string bytes = encode_proxy_header(version, header);
    const ProxyHeaderResult again = parse_proxy_header(bytes);
    expect(again.state == State::Complete && again.size == bytes.size(), "our headers are headers");
    // A mapped address became a shorter one: the two families may differ now.
    if (again.header.forwarded)
      expect(again.header.remote == header.remote && again.header.local == header.local, "addresses survive");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  State before = State::Incomplete;
  for (size_t n = 0; n <= size && n <= kMaxProxyHeader + 1; ++n) {
    const ProxyHeaderResult r = parse_proxy_header(input.substr(0, n));
    expect(before == State::Incomplete || r.state == before, "a verdict stays");
    expect(r.state != State::Complete || r.size <= n, "a header is not longer than its bytes");
    expect(r.state != State::Incomplete || n < kMaxProxyHeader, "a header ends");
    expect((r.state == State::Broken) == !r.why.empty(), "what is broken has a reason");
    before = r.state;
  }
  const ProxyHeaderResult whole = parse_proxy_header(input);
  if (whole.state == State::Complete) written_again(whole.header);
  return 0;
}
