// Passwords from a terminal, unseen, or from standard input.
#ifndef POSTERN_CTL_PASSWORD_H
#define POSTERN_CTL_PASSWORD_H

#include "base/result.h"
#include "base/secret.h"

namespace postern {

enum class AskTimes : uint8_t { Once, Twice };
// From the terminal, Twice to be sure of it; without a terminal the first line of standard input. At most 4096 bytes.
Result<SecretString> ask_password(AskTimes times);

}  // namespace postern

#endif
