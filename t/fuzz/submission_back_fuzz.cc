#include "fuzz/back_fuzz.h"
#include "proto/smtp/submission.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return postern::fuzz::run_back(postern::kSubmission, data, size);
}
