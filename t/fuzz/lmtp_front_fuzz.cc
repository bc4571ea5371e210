#include "fuzz/delivery_front_fuzz.h"
#include "proto/smtp/lmtp.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return postern::fuzz::run_delivery_front(postern::kLmtp, data, size);
}
