#include "ctl/password.h"

#include <stdio.h>
#include <termios.h>
#include <unistd.h>

namespace postern {

namespace {

constexpr size_t kMaxPassword = 4096;

// Without echo while it lives.
class Unseen {
 public:
  Unseen() {
    termios hidden = before_;
    hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    if (known_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
  }
  ~Unseen() {
    if (known_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  Unseen(const Unseen&) = delete;
  Unseen& operator=(const Unseen&) = delete;

 private:
  termios before_{};
  bool known_ = ::tcgetattr(STDIN_FILENO, &before_) == 0;
};

// Byte by byte: what follows the line is not ours.
Result<SecretString> read_line() {
  SecretString line;
  for (char c = 0; ::read(STDIN_FILENO, &c, 1) == 1 && c != '\n';) {
    if (line.size() == kMaxPassword) return Error("the password is too long");
    line.append({&c, 1});
  }
  return line;
}

Result<SecretString> prompt(std::string_view text) {
  const Unseen unseen;
  ::fwrite(text.data(), 1, text.size(), stderr);
  auto line = read_line();
  ::fputc('\n', stderr);
  return line;
}

}  // namespace

Result<SecretString> ask_password(AskTimes times) {
  if (::isatty(STDIN_FILENO) == 0) return read_line();
  if (times == AskTimes::Once) return prompt("Password: ");
  auto first = prompt("Enter new password: ");
  if (!first) return first;
  const auto again = prompt("Retype new password: ");
  if (!again) return again;
  if (!equal_constant_time(first->reveal(), again->reveal())) return Error("the passwords differ");
  return first;
}

}  // namespace postern
