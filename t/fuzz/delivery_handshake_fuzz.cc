// The handshakes of deliveries; the first byte's highest bit chooses the backend's kind.
#include "fuzz/back_fuzz.h"
#include "proto/smtp/delivery_steps.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const bool smtp = size > 0 && (data[0] & 0x80) != 0;
  return postern::fuzz::run_back(smtp ? std::span(postern::smtp::kSmtpSteps) : std::span(postern::smtp::kLmtpSteps),
                                 data, size);
}
