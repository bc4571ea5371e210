// What the tests of src/conf share.
#ifndef POSTERN_T_CONF_SUPPORT_H
#define POSTERN_T_CONF_SUPPORT_H

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "conf/configuration_bytes.h"
#include "conf/reader.h"

namespace postern {

inline LoadedConfiguration load(const std::string& text, const std::vector<std::string>& assignments = {}) {
  return load_configuration_text(text, "x.conf", assignments);
}

// The one error of `text`, or all of them, joined.
inline std::string errors_of(const std::string& text, const std::vector<std::string>& assignments = {}) {
  return fmt::format("{}", fmt::join(load(text, assignments).errors, "\n"));
}

inline std::string warnings_of(const std::string& text, const std::vector<std::string>& assignments = {}) {
  return fmt::format("{}", fmt::join(load(text, assignments).warnings, "\n"));
}

inline Settings settings_of(const std::string& text, const std::vector<std::string>& assignments = {}) {
  return load(text, assignments).configuration.settings;
}

inline std::string data_file(const std::string& name) { return std::string(CONF_DATA_DIR) + "/" + name; }

inline std::string content_of(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

// DECISIONS section 2, with the SQL file found beside it.
inline std::string sample_text() {
  std::string text = content_of(data_file("sample.conf"));
  const std::string path = "/etc/postern/postern-sql.conf.ext";
  const size_t at = text.find(path);
  return at == std::string::npos ? text : text.replace(at, path.size(), data_file("postern-sql.conf.ext"));
}

}  // namespace postern

#endif
