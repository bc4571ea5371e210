#include "fuzz/front_fuzz.h"
#include "proto/sieve/protocol.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return postern::fuzz::run_front(postern::sieve::kSieve, data, size);
}
