#include "fuzz/front_fuzz.h"
#include "proto/smtp/submission.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return postern::fuzz::run_front(postern::kSubmission, data, size);
}
