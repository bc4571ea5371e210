// The configuration reader: any text gives errors or a configuration that its own dump reads back to.
#include <string>

#include "conf/configuration_bytes.h"
#include "conf/dovecot_file.h"
#include "conf/reader.h"
#include "conf/render.h"
#include "fuzz/expect.h"

using namespace postern;
using fuzz::expect;

namespace {

void round_trip(const Configuration& c, bool all) {
  const LoadedConfiguration again = load_configuration_text(render_configuration(c, all, true), "dump.conf", {});
  expect(again.ok(), "a dump has no errors");
  expect(bytes_of(again.configuration) == bytes_of(c), "a dump reads back to the same");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const LoadedConfiguration loaded = load_configuration_text(text, "nowhere/fuzz.conf", {});
  expect(loaded.errors.size() <= 50, "errors are bounded");
  for (const std::string& error : loaded.errors)
    expect(!error.empty() && error.find('\n') == std::string::npos, "an error is a line");
  if (loaded.ok()) {
    round_trip(loaded.configuration, false);
    round_trip(loaded.configuration, true);
  }
  render_configuration(loaded.configuration, true, false);
  slice_for(loaded.configuration, 'L', "imap");
  load_configuration_text("", "nowhere/fuzz.conf", {text});
  parse_dovecot_file(text);
  return 0;
}
