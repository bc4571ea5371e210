// What a mail program says first: a verdict never changes with what comes behind, and nothing in it reaches the client
// that would end its line or its brackets.
#include "base/text.h"
#include "fuzz/expect.h"
#include "proto/imap/protocol.h"
#include "proto/pop3/protocol.h"

using namespace postern;
using fuzz::expect;
using State = ProgramGreeting::State;

namespace {

void one_protocol(const Protocol& protocol, std::string_view input) {
  ProgramGreeting before;
  for (size_t n = 0; n <= input.size() && n <= kMaxProgramGreeting + 2; ++n) {
    const ProgramGreeting now = protocol.read_program_greeting(input.substr(0, n));
    expect(before.state == State::Waiting || (now.state == before.state && now.taken == before.taken),
           "a verdict stays");
    expect(now.state != State::Waiting || n <= kMaxProgramGreeting + 1, "a greeting ends");
    expect(now.taken <= n && (now.state == State::Ready || now.taken == 0), "what is taken was there");
    expect(!has_control(now.capabilities) && now.capabilities.find(']') == std::string::npos,
           "capabilities fit between brackets");
    before = now;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  one_protocol(imap::kImap, input);
  one_protocol(kPop3, input);
  return 0;
}
