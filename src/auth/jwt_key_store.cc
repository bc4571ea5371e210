#include "auth/jwt_key_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/base64.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"

namespace postern {

namespace {

constexpr size_t kMaxKeyFile = 512 * 1024;
constexpr size_t kMaxName = 200;       // of one element of a path
constexpr size_t kMaxKept = 1000;      // keys in memory; more than that are read each time
constexpr size_t kMaxCandidates = 16;  // keys that one token may be tried with

// Tells one content of a file from another.
struct FileMark {
  dev_t device = 0;
  ino_t inode = 0;
  off_t size = -1;
  timespec changed{};
  bool operator==(const FileMark& o) const {
    return device == o.device && inode == o.inode && size == o.size && changed.tv_sec == o.changed.tv_sec &&
           changed.tv_nsec == o.changed.tv_nsec;
  }
};

FileMark mark_of(const struct stat& status) { return {status.st_dev, status.st_ino, status.st_size, status.st_mtim}; }

Error failure(const std::string& file, std::string_view why) { return Error(file + ": " + std::string(why)); }

Result<SecretString> read_file(const std::string& file) {
  const Fd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return failure(file, std::strerror(errno));
  SecretString out;
  char buffer[4096];
  for (;;) {
    const ssize_t got = read(fd.get(), buffer, sizeof buffer);
    if (got < 0) return failure(file, std::strerror(errno));
    if (got == 0) break;
    out.append({buffer, static_cast<size_t>(got)});
    if (out.size() > kMaxKeyFile) return failure(file, "is too long for keys");
  }
  secure_zero(buffer, sizeof buffer);
  return out;
}

Result<JwtKey> key_from(const JwtAlgorithm& algorithm, const SecretString& text) {
  if (algorithm.family != JwtFamily::Hmac) return JwtKey::from_pem(text.reveal());
  const std::string_view whole = text.reveal();
  auto secret = base64_decode_secret(whole.substr(0, whole.find_last_not_of(" \t\r\n") + 1));
  if (!secret) return Error("is no key in base64");
  return JwtKey::from_secret(std::move(*secret));
}

bool is_path_element(std::string_view name) {
  return name != "." && name != ".." && name.size() <= kMaxName && !has_control(name);
}

std::string escaped(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == '/') out += "%2f";
    else if (c == '%') out += "%25";
    else out += c;
  }
  return out;
}

}  // namespace

std::optional<std::string> jwt_key_path(const Jwt& token) {
  if (!is_path_element(token.azp) || !is_path_element(token.kid)) return std::nullopt;
  std::string out = token.azp.empty() ? "default" : escaped(token.azp);
  return out.append("/")
      .append(token.algorithm->name)
      .append("/")
      .append(token.kid.empty() ? "default" : escaped(token.kid));
}

// --- a folder ------------------------------------------------------------------------

struct JwtKeyFolder::Kept {
  FileMark mark;
  JwtKey key;
};

Result<JwtKeys::Found> JwtKeyFolder::find(const Jwt& token) {
  const auto path = jwt_key_path(token);
  if (!path) return Found();
  const std::string file = prefix_ + *path;
  struct stat status {};
  if (stat(file.c_str(), &status) != 0) {
    if (errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG) return Found();
    return failure(printable(file), std::strerror(errno));
  }
  if (!S_ISREG(status.st_mode)) return Found();
  const FileMark mark = mark_of(status);
  if (const auto known = kept_.find(file); known != kept_.end() && known->second->mark == mark)
    return Found{std::shared_ptr<const JwtKey>(known->second, &known->second->key)};
  const auto text = read_file(file);
  if (!text) return Error(printable(text.error(), 400));
  auto key = key_from(*token.algorithm, *text);
  if (!key) return failure(printable(file), key.error());
  if (!key->serves(*token.algorithm))
    return failure(printable(file), "is no key for " + std::string(token.algorithm->name) + ", or too short a one");
  const auto kept = std::make_shared<Kept>(Kept{mark, std::move(*key)});
  if (kept_.size() >= kMaxKept) kept_.clear();
  kept_[file] = kept;
  return Found{std::shared_ptr<const JwtKey>(kept, &kept->key)};
}

// --- a set -----------------------------------------------------------------------------

struct JwtKeySet::Kept {
  struct Key {
    std::string kid, alg;
    std::shared_ptr<const JwtKey> key;
  };
  FileMark mark;
  std::vector<Key> keys;
  Status status;  // of the last reading

  Status read(const std::string& file);
  Found choose(const Jwt& token, std::string_view kid) const;
};

JwtKeySet::JwtKeySet(std::string file) : file_(std::move(file)), kept_(std::make_unique<Kept>()) {}
JwtKeySet::~JwtKeySet() = default;

Status JwtKeySet::Kept::read(const std::string& file) {
  const auto text = read_file(file);
  if (!text) return Error(text.error());
  auto set = parse_jwks(text->reveal());
  if (!set) return failure(file, set.error());
  keys.clear();
  for (Jwk& jwk : *set)
    keys.push_back({std::move(jwk.kid), std::move(jwk.alg), std::make_shared<const JwtKey>(std::move(jwk.key))});
  return {};
}

JwtKeys::Found JwtKeySet::Kept::choose(const Jwt& token, std::string_view kid) const {
  Found out;
  for (const Key& key : keys) {
    const bool named = (token.kid.empty() || key.kid == kid) && (key.alg.empty() || key.alg == token.algorithm->name);
    if (named && key.key->serves(*token.algorithm) && out.size() < kMaxCandidates) out.push_back(key.key);
  }
  return out;
}

// A file that was replaced by one that cannot be used leaves the keys that were there: who replaces it may not be done
// yet.
Result<JwtKeys::Found> JwtKeySet::find(const Jwt& token) {
  struct stat status {};
  if (stat(file_.c_str(), &status) != 0) return failure(file_, std::strerror(errno));
  const FileMark mark = mark_of(status);
  if (!(mark == kept_->mark)) {
    kept_->status = kept_->read(file_);
    kept_->mark = mark;
    if (!kept_->status && !kept_->keys.empty())
      log_error("oauth2: the keys read before stay in use: " + kept_->status.error());
  }
  if (!kept_->status && kept_->keys.empty()) return Error(kept_->status.error());
  Found found = kept_->choose(token, token.kid);
  return found.empty() ? kept_->choose(token, "") : found;
}

std::unique_ptr<JwtKeys> open_jwt_keys(const std::string& jwks_file, const std::string& key_prefix) {
  if (!jwks_file.empty()) return std::make_unique<JwtKeySet>(jwks_file);
  if (!key_prefix.empty()) return std::make_unique<JwtKeyFolder>(key_prefix);
  return nullptr;
}

}  // namespace postern
