// Local mail programs: auth has them started by the master (DECISIONS section 8).
#ifndef POSTERN_IPC_MAIL_MESSAGES_H
#define POSTERN_IPC_MAIL_MESSAGES_H

#include <cstdint>
#include <string>
#include <vector>

#include "base/address.h"
#include "ipc/field_list.h"
#include "ipc/message.h"

namespace postern {

struct StartMail {  // for a user who has authenticated; the master checks all of it once more
  static constexpr std::string_view kName = "auth.start_mail";
  static constexpr Direction kDirection{Role::Auth, Role::Master};
  uint64_t id = 0;
  std::string service;  // "imap"
  std::string user, home, session;
  std::string uid, gid;            // names or numbers; empty: the system user's own
  std::string groups_of;           // the system user whose supplementary groups it gets; empty: none
  std::vector<std::string> words;  // of service.X.executable, variables filled in
  FieldList environment;           // further userdb fields, names as in the database
  Endpoint remote, local;
  uint32_t max_userip = 0;  // programs of this service for this user and address; 0: any number
  // One descriptor comes with the order, the message: the program reads it, and what MailStarted brings is a pipe in
  // which its end is told.
  bool delivery = false;
  auto fields() {
    return std::tie(id, service, user, home, session, uid, gid, groups_of, words, environment, remote, local,
                    max_userip, delivery);
  }
};

struct MailStarted {  // one descriptor, the socket to it; or why there is none
  static constexpr std::string_view kName = "master.mail_started";
  static constexpr Direction kDirection{Role::Master, Role::Auth};
  uint64_t id = 0;
  uint32_t pid = 0;
  std::string why;        // pid 0
  bool too_many = false;  // because of max_userip
  auto fields() { return std::tie(id, pid, why, too_many); }
};

// What the master writes into the pipe of a delivery once its program has ended; no packet, just these bytes.
struct DeliveryEnd {
  int32_t wait_status = 0;  // as waitpid(2) has it
};

}  // namespace postern

#endif
