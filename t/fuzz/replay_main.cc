// main() of the fuzz targets in `make check`: every file of corpus/<name>, with its prefixes and a few changes
// of each byte, printed as TAP. With --enable-fuzzing libFuzzer's main() takes its place.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxChanged = 700;  // longer inputs run as they are

void run(std::string_view input) {
  // A copy of exactly this size: sanitizers see a byte read behind it.
  const std::vector<uint8_t> bytes(input.begin(), input.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

void run_with_changes(const std::string& input) {
  run(input);
  if (input.size() > kMaxChanged) return;
  for (size_t at = 0; at < input.size(); ++at) {
    run(std::string_view(input).substr(0, at));
    std::string changed = input;
    for (char c : {'\0', '\n', ' ', '\xff', static_cast<char>(input[at] ^ 0x20)}) {
      changed[at] = c;
      run(changed);
    }
  }
}

// "t/fuzz/pop3_front_fuzz" -> "pop3_front"
std::string target_name(const char* program) {
  const std::string name = fs::path(program).filename().string();
  return name.substr(0, name.rfind("_fuzz"));
}

std::vector<fs::path> corpus(const std::string& name) {
  const char* top = ::getenv("POSTERN_SRCDIR");
  std::vector<fs::path> files;
  std::error_code error;
  const fs::path folder = fs::path(top != nullptr ? top : SOURCE_DIR) / "t/fuzz/corpus" / name;
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (entry.is_regular_file()) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string name = target_name(argv[0]);
  std::vector<fs::path> files(argv + 1, argv + argc);
  if (files.empty()) files = corpus(name);
  std::printf("1..%zu\n", std::max<size_t>(files.size(), 1));
  if (files.empty()) {
    std::printf("not ok 1 - no corpus for %s\n", name.c_str());
    return 1;
  }
  int number = 0;
  for (const fs::path& file : files) {
    std::ifstream in(file, std::ios::binary);
    const std::string input(std::istreambuf_iterator<char>(in), {});
    std::printf("# %s\n", file.filename().c_str());
    std::fflush(stdout);  // names the file should the target abort
    run_with_changes(input);
    std::printf("ok %d - %s %s\n", ++number, name.c_str(), file.filename().c_str());
  }
  return 0;
}
