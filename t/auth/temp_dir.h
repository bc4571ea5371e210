// A folder that goes with the test.
#ifndef POSTERN_T_AUTH_TEMP_DIR_H
#define POSTERN_T_AUTH_TEMP_DIR_H

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace postern {

class TempDir {
 public:
  TempDir() {
    std::string name = (std::filesystem::temp_directory_path() / "postern-test-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  std::string path(const std::string& name) const { return path_ + "/" + name; }
  void write(const std::string& name, const std::string& text) const { std::ofstream(path(name)) << text; }

 private:
  std::string path_;
};

}  // namespace postern

#endif
