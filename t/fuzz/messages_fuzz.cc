// Every message between processes: first byte its number, then its fields. What decodes must encode again, and
// what was encoded must decode to the same bytes.
#include "fuzz/expect.h"
#include "ipc/messages.h"

using namespace postern;

namespace {

template <class M>
std::string encoded(const M& message) {
  std::string out;
  Writer(out).put(message);
  return out;
}

template <class M>
void decode(std::string_view bytes) {
  M message;
  Reader reader(bytes);
  reader.get(message);
  if (!reader.ok() || !reader.at_end()) return;
  const std::string first = encoded(message);
  M again;
  Reader second(first);
  second.get(again);
  fuzz::expect(second.ok() && second.at_end(), "what we encode decodes");
  fuzz::expect(encoded(again) == first, "a round trip changes nothing");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  Messages::with_type(data[0], [bytes]<class M>() { decode<M>(bytes); });
  return 0;
}
