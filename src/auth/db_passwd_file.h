// passdb and userdb passwd-file: user:password:uid:gid:gecos:home:shell:extra fields (AUTH-16).
#ifndef POSTERN_AUTH_DB_PASSWD_FILE_H
#define POSTERN_AUTH_DB_PASSWD_FILE_H

#include <sys/stat.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "auth/db.h"

namespace postern {

// A line taken apart. Views into it.
struct PasswdLine {
  std::string_view user;
  std::optional<std::string_view> password;  // none: no such field or empty
  std::string_view uid, gid, home;           // userdb; empty: none
  std::string_view extra;                    // fields separated by spaces
};
// Nothing for comments, empty lines and lines without a user.
std::optional<PasswdLine> parse_passwd_line(std::string_view line);

// One file in memory, indexed by user. Lines are taken apart when they are asked for.
class PasswdFile {
 public:
  enum class State : uint8_t { Good, Missing, Unreadable };
  explicit PasswdFile(std::string path) : path_(std::move(path)) {}

  // Reads the file again when its time, size or inode changed. `why` is set when it is Unreadable.
  State refresh();
  // The user's line; the first one when there are several.
  std::optional<PasswdLine> find(std::string_view user) const;
  const std::string& why() const { return why_; }

 private:
  State load();

  std::string path_, why_;
  SecretString content_;
  std::unordered_map<std::string_view, std::string_view> lines_;  // user -> line, both into content_
  struct stat seen_ {};
  State state_ = State::Missing;
};

// args: [scheme=CRYPT] [username_format=%u] PATH; the path may have variables.
Result<DriverTraits> describe_passwd_file(const DatabaseSettings& settings, DbKind kind);
Result<std::unique_ptr<Database>> open_passwd_file(const DatabaseSettings& settings, DbKind kind);

}  // namespace postern

#endif
