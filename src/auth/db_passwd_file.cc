#include "auth/db_passwd_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>

#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "crypt/schemes.h"

namespace postern {

namespace {

constexpr size_t kMaxFiles = 256;  // of one block whose path has variables
constexpr off_t kMaxFileSize = off_t{512} * 1024 * 1024;

struct Arguments {
  std::string scheme = "CRYPT", username_format = "%u";
  Template path, key;
};

struct ArgumentRow {
  std::string_view name;
  std::string Arguments::*target;
};
constexpr ArgumentRow kArguments[] = {{"scheme", &Arguments::scheme}, {"username_format", &Arguments::username_format}};

// Takes known NAME=VALUE words from the front; the rest is the path, which may have blanks in it.
std::string_view take_options(std::string_view args, Arguments& out) {
  for (args = trim(args); !args.empty();) {
    const size_t end = std::min(args.find(' '), args.size());
    const std::string_view word = args.substr(0, end);
    const size_t equal = word.find('=');
    const auto* row = std::find_if(std::begin(kArguments), std::end(kArguments), [&](const ArgumentRow& r) {
      return equal != std::string_view::npos && r.name == word.substr(0, equal);
    });
    if (row == std::end(kArguments)) return args;
    out.*(row->target) = word.substr(equal + 1);
    args = trim(args.substr(end));
  }
  return args;
}

Result<Arguments> parse_arguments(const DatabaseSettings& settings) {
  Arguments out;
  const std::string_view path = take_options(settings.args, out);
  if (path.empty() || path[0] != '/') return Error("args = " + settings.args + ": an absolute path is missing");
  if (!is_known_scheme(out.scheme)) return Error("args: unknown scheme " + out.scheme);
  auto compiled = Template::compile(path);
  if (!compiled) return Error("args: path " + compiled.error());
  out.path = std::move(*compiled);
  auto key = Template::compile(out.username_format);
  if (!key) return Error("args: username_format " + key.error());
  out.key = std::move(*key);
  return out;
}

// Nothing when a value would lead out of the folder of the path; looked at as the filters left it (AUTH-19).
std::optional<std::string> expand_path(const Template& path, const Variables& variables) {
  std::string out;
  for (const Template::Part& part : path.parts()) {
    const std::string v = Template::expand_part(part, variables);
    if (part.variable &&
        (v.empty() || v[0] == '.' || v.find('/') != std::string::npos || v.find('\0') != std::string::npos))
      return std::nullopt;
    out += part.literal + v;
  }
  return out;
}

constexpr std::string_view kUserdbPrefix = "userdb_";

void add_column(std::string_view name, std::string_view value, RowBuilder& row) {
  if (!value.empty()) row.add(name, value);
}

DbRow make_row(const PasswdLine& line, const Variables& variables, DbKind kind) {
  RowBuilder row(kind);
  row.add("password", line.password);
  if (kind == DbKind::Userdb) {
    add_column("uid", line.uid, row);
    add_column("gid", line.gid, row);
    add_column("home", line.home, row);
  }
  for (std::string_view word : split_words(line.extra, " ")) {
    if (kind == DbKind::Userdb) {  // the others are the passdb's
      if (!istarts_with(word, kUserdbPrefix)) continue;
      word.remove_prefix(kUserdbPrefix.size());
    }
    const size_t equal = word.find('=');
    const std::string_view value = equal == std::string_view::npos ? "yes" : word.substr(equal + 1);
    if (value.find('%') == std::string_view::npos) {
      row.add(word.substr(0, equal), value);
      continue;
    }
    const auto compiled = Template::compile(value);
    if (!compiled) return DbRow::broken("field " + printable(word.substr(0, equal), 40) + ": " + compiled.error());
    row.add(word.substr(0, equal), compiled->expand(variables));
  }
  return row.take();
}

class PasswdFileDatabase final : public Database {
 public:
  PasswdFileDatabase(Arguments arguments, DbKind kind) : arguments_(std::move(arguments)), kind_(kind) {}

  DbRow lookup(const Variables& variables, const SecretString*) override {
    PasswdFile* file = file_for(variables);
    if (file == nullptr) return DbRow::not_found();
    const PasswdFile::State state = file->refresh();
    if (state == PasswdFile::State::Missing && !arguments_.path.is_constant()) return DbRow::not_found();
    if (state != PasswdFile::State::Good) return DbRow::broken(file->why());
    const auto line = file->find(arguments_.key.expand(variables));
    return line ? make_row(*line, variables, kind_) : DbRow::not_found();
  }

 private:
  PasswdFile* file_for(const Variables& variables) {
    const auto path = expand_path(arguments_.path, variables);
    if (!path) return nullptr;
    const auto found = files_.find(*path);
    if (found != files_.end()) return &found->second;
    if (files_.size() >= kMaxFiles) files_.clear();
    return &files_.emplace(*path, PasswdFile(*path)).first->second;
  }

  Arguments arguments_;
  DbKind kind_;
  std::map<std::string, PasswdFile> files_;
};

bool same_file(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_size == b.st_size &&
         a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

// All of `fd`; false on an error.
bool read_all(int fd, size_t size, SecretString& out) {
  std::string buffer(std::min<size_t>(size + 1, 1 << 20), '\0');
  for (;;) {
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n == 0) break;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 || out.size() > static_cast<size_t>(kMaxFileSize)) return false;
    out.append(std::string_view(buffer).substr(0, static_cast<size_t>(n)));
  }
  secure_zero(buffer.data(), buffer.size());
  return true;
}

}  // namespace

std::optional<PasswdLine> parse_passwd_line(std::string_view line) {
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  if (line.empty() || line[0] == '#' || line[0] == ':') return std::nullopt;
  PasswdLine out;
  std::string_view rest = line;
  for (int field = 0; field < 7; ++field) {
    const size_t colon = rest.find(':');
    const std::string_view value = rest.substr(0, colon);
    if (field == 0) out.user = value;
    if (field == 1 && !value.empty()) out.password = value;
    if (field == 2) out.uid = value;
    if (field == 3) out.gid = value;
    if (field == 5) out.home = value;
    if (colon == std::string_view::npos) return out;
    rest = rest.substr(colon + 1);
  }
  out.extra = rest;  // may have colons of its own: host=2001:db8::1
  return out;
}

PasswdFile::State PasswdFile::refresh() {
  struct stat now {};
  if (::stat(path_.c_str(), &now) == 0 && state_ == State::Good && same_file(now, seen_)) return state_;
  return state_ = load();
}

PasswdFile::State PasswdFile::load() {
  const Fd fd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) {
    why_ = "open(" + path_ + ") failed: " + strerror(errno);
    return errno == ENOENT ? State::Missing : State::Unreadable;
  }
  lines_.clear();
  content_.wipe();
  if (::fstat(fd.get(), &seen_) != 0 || !S_ISREG(seen_.st_mode) ||
      !read_all(fd.get(), static_cast<size_t>(seen_.st_size), content_)) {
    why_ = "read(" + path_ + ") failed: " + (S_ISREG(seen_.st_mode) ? strerror(errno) : "not a regular file");
    return State::Unreadable;
  }
  const std::string_view content = content_.reveal();
  lines_.reserve(static_cast<size_t>(std::count(content.begin(), content.end(), '\n')) + 1);
  for (size_t at = 0; at < content.size();) {
    const size_t end = std::min(content.find('\n', at), content.size());
    const std::string_view line = content.substr(at, end - at);
    if (const auto parsed = parse_passwd_line(line)) lines_.try_emplace(parsed->user, line);
    at = end + 1;
  }
  return State::Good;
}

std::optional<PasswdLine> PasswdFile::find(std::string_view user) const {
  const auto found = lines_.find(user);
  return found == lines_.end() ? std::nullopt : parse_passwd_line(found->second);
}

Result<DriverTraits> describe_passwd_file(const DatabaseSettings& settings, DbKind) {
  const auto arguments = parse_arguments(settings);
  if (!arguments) return Error(arguments.error());
  DriverTraits traits;
  traits.default_scheme = arguments->scheme;
  return traits;
}

Result<std::unique_ptr<Database>> open_passwd_file(const DatabaseSettings& settings, DbKind kind) {
  auto arguments = parse_arguments(settings);
  if (!arguments) return Error(arguments.error());
  return std::unique_ptr<Database>(std::make_unique<PasswdFileDatabase>(std::move(*arguments), kind));
}

}  // namespace postern
