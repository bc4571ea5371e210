// Starts a local mail program as its user (DECISIONS section 8): what is checked, what it gets, and how its failure to
// start becomes known.
#ifndef POSTERN_MASTER_MAIL_PROGRAM_H
#define POSTERN_MASTER_MAIL_PROGRAM_H

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "ipc/mail_messages.h"

namespace postern {

// What the configuration fixes, whatever auth orders.
struct MailRules {
  std::string program;             // absolute path
  std::vector<std::string> words;  // of the setting; those without a variable stand as they are
  int64_t first_valid_uid = 500;
  int64_t vsz_limit = 0;    // bytes, 0: none
  bool privileged = false;  // else only our own uid
};

// The arguments: the configured words, and auth's where the configuration has variables. The Error names what does not
// fit.
Result<std::vector<std::string>> mail_arguments(const MailRules& rules, const StartMail& order);

// PATH, TZ, the user, the client and the further fields in upper case; nothing else. Fields that are no names, that
// would change how programs are loaded, or that are there already are left out.
std::vector<std::string> mail_environment(const StartMail& order, std::string_view home, std::string_view shell);

struct StartedMail {
  pid_t pid = 0;
  Fd socket;   // stdin and stdout of the program; of a delivery, a pipe with what is written to `end`. Does not block
  Fd end;      // of a delivery: where its DeliveryEnd is to be written
  Fd failure;  // readable: end of file once exec has happened, else the reason
};

// Forks. Names are looked up in the child, where it may take its time. `error_output` becomes fd 2. A delivery reads
// `message`, a regular file, and says what it has to say into the log.
Result<StartedMail> start_mail_program(const MailRules& rules, const StartMail& order, int message, int error_output);

}  // namespace postern

#endif
