#include "master/boot_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "base/fd.h"
#include "base/result.h"
#include "tls/context.h"
#include "tls/keys.h"

namespace postern {

namespace {

struct FileSetting {
  Key key;
  const char* name;
};
constexpr FileSetting kFileSettings[] = {
    {Key::ssl_cert, "ssl_cert"},
    {Key::ssl_key, "ssl_key"},
    {Key::ssl_alt_cert, "ssl_alt_cert"},
    {Key::ssl_alt_key, "ssl_alt_key"},
    {Key::ssl_ca, "ssl_ca"},
    {Key::ssl_client_ca_file, "ssl_client_ca_file"},
    {Key::ssl_client_cert, "ssl_client_cert"},
    {Key::ssl_client_key, "ssl_client_key"},
};

constexpr size_t kMaxFile = 8 * 1024 * 1024;
constexpr size_t kMaxFolderFiles = 4096;

Result<SecretString> read_file(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat st;
  if (!fd || ::fstat(fd.get(), &st) != 0) return Error(strerror(errno));
  if (!S_ISREG(st.st_mode)) return Error("not a file");
  if (static_cast<size_t>(st.st_size) > kMaxFile) return Error("too large");
  SecretString content;
  char buffer[16 * 1024];
  ssize_t n;
  while ((n = ::read(fd.get(), buffer, sizeof buffer)) > 0 && content.size() <= kMaxFile)
    content.append({buffer, static_cast<size_t>(n)});
  const int error = errno;
  secure_zero(buffer, sizeof buffer);
  if (n < 0) return Error(strerror(error));
  return content;
}

bool is_pem(const std::string& value) { return value.rfind("-----BEGIN", 0) == 0; }

bool has(const BootFiles& files, const std::string& path) {
  return std::any_of(files.begin(), files.end(), [&](const auto& file) { return file.first == path; });
}

// `setting` is how an error names it, with its place in the configuration.
void add_value(const std::string& setting, const std::string& value, BootFiles& files,
               std::vector<std::string>& errors) {
  if (value.empty() || has(files, value)) return;
  if (is_pem(value)) {
    files.emplace_back(value, SecretString(value));
    return;
  }
  auto content = read_file(value);
  if (content) files.emplace_back(value, std::move(*content));
  else errors.push_back(fmt::format("{} = {}: {}", setting, value, content.error()));
}

// OpenSSL looks for hashed names like 5ed36f99.0; both those and plain files are taken, links to one file once.
void add_folder(const std::string& path, BootFiles& files, std::vector<std::string>& errors) {
  if (path.empty()) return;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(path.c_str()), &::closedir);
  if (folder == nullptr) {
    errors.push_back(fmt::format("ssl_client_ca_dir = {}: {}", path, strerror(errno)));
    return;
  }
  std::vector<std::pair<dev_t, ino_t>> seen;
  while (const dirent* entry = ::readdir(folder.get())) {
    const std::string file = path + "/" + entry->d_name;
    struct stat st;
    if (::stat(file.c_str(), &st) != 0 || !S_ISREG(st.st_mode) || seen.size() >= kMaxFolderFiles) continue;
    const std::pair<dev_t, ino_t> identity(st.st_dev, st.st_ino);
    if (has(files, file) || std::find(seen.begin(), seen.end(), identity) != seen.end()) continue;
    seen.push_back(identity);
    if (auto content = read_file(file)) files.emplace_back(file, std::move(*content));
  }
}

const std::string* override_text(const SettingsOverride& block, Key key) {
  for (const auto& [number, value] : block.values)
    if (number == static_cast<uint16_t>(key)) return std::get_if<std::string>(&value);
  return nullptr;
}

// One certificate and key, wherever they are set.
struct Pair {
  std::string certificate, key;
};

void add_pair(const std::string* certificate, const std::string* key, const Settings& settings, Key certificate_key,
              Key key_key, std::vector<Pair>& pairs) {
  if (certificate == nullptr && key == nullptr) return;
  Pair pair{certificate ? *certificate : settings.text(certificate_key), key ? *key : settings.text(key_key)};
  if (!pair.certificate.empty() || !pair.key.empty()) pairs.push_back(std::move(pair));
}

std::vector<Pair> all_pairs(const Configuration& configuration) {
  const Settings& s = configuration.settings;
  constexpr std::pair<Key, Key> kinds[] = {{Key::ssl_cert, Key::ssl_key},
                                           {Key::ssl_alt_cert, Key::ssl_alt_key},
                                           {Key::ssl_client_cert, Key::ssl_client_key}};
  std::vector<Pair> pairs;
  for (const auto& [certificate, key] : kinds) {
    add_pair(&s.text(certificate), &s.text(key), s, certificate, key, pairs);
    for (const SettingsOverride& block : configuration.overrides)
      add_pair(override_text(block, certificate), override_text(block, key), s, certificate, key, pairs);
  }
  return pairs;
}

}  // namespace

BootFiles read_boot_files(const Configuration& configuration, std::vector<std::string>& errors) {
  BootFiles files;
  for (const FileSetting& setting : kFileSettings) {
    add_value(configuration.place_of(setting.key) + setting.name, configuration.settings.text(setting.key), files,
              errors);
    for (const SettingsOverride& block : configuration.overrides)
      if (const std::string* value = override_text(block, setting.key)) add_value(setting.name, *value, files, errors);
  }
  add_folder(configuration.settings.text(Key::ssl_client_ca_dir), files, errors);
  for (const SettingsOverride& block : configuration.overrides)
    if (const std::string* value = override_text(block, Key::ssl_client_ca_dir)) add_folder(*value, files, errors);
  return files;
}

void check_certificates(const Configuration& configuration, const BootFiles& files, std::vector<std::string>& errors) {
  const FileLookup lookup = [&](std::string_view path) -> const SecretString* {
    const auto found = std::find_if(files.begin(), files.end(), [&](const auto& file) { return file.first == path; });
    return found == files.end() ? nullptr : &found->second;
  };
  LocalKeys keys(lookup);
  for (const Pair& pair : all_pairs(configuration)) {
    if (pair.key.empty() || pair.certificate.empty()) {
      errors.push_back(fmt::format("{}: a certificate and its key must be given together",
                                   pair.certificate.empty() ? "ssl_key" : "ssl_cert = " + pair.certificate));
      continue;
    }
    if (lookup(pair.certificate) == nullptr || lookup(pair.key) == nullptr) continue;  // an error already
    ServerTlsOptions options;
    options.pairs.push_back({pair.certificate, pair.key});
    if (const auto context = TlsContext::for_clients(options, lookup, keys); !context)
      errors.push_back(context.error());
  }
}

}  // namespace postern
