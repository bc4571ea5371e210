// The admin socket (DECISIONS section 4): posternctl asks, postern-state answers, one JSON object per line each way.
// A request is one line; the answer is a line for each session, when sessions were asked for, and one line that
// ends it. The only place that knows JSON.
#ifndef POSTERN_IPC_ADMIN_H
#define POSTERN_IPC_ADMIN_H

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/secret.h"

namespace postern {

inline constexpr int kAdminVersion = 1;
inline constexpr size_t kMaxAdminLine = 64 * 1024;
inline constexpr std::string_view kAdminSocket = "admin.sock";  // in base_dir

// {"v":1,"cmd":"kick","users":["*@example.org"],"network":"192.0.2.0/24","backend":"10.0.0.1","proxied":true}
// {"v":1,"cmd":"auth test","user":"joe","password":"secret","service":"imap","rip":"192.0.2.1","lip":"192.0.2.9"}
// What is left out, or empty, is any.
struct AdminRequest {
  std::string command;             // "who", "kick", "auth test" ...
  std::vector<std::string> users;  // masks with * and ?
  std::string network, backend;
  bool proxied = false;  // proxied sessions only
  std::string user;      // auth: whom it is about
  SecretString password;
  std::string service, rip, lip;  // the client to be imagined
};

// {"user":"joe","service":"imap","session":"...","rip":"192.0.2.1","rport":50000,"lip":"192.0.2.9","lport":993,
//  "pid":4711,"since":1700000000,"host":"10.0.0.1","port":143}; host and port for proxied sessions.
struct AdminSession {
  std::string user, service, session;
  std::string rip, lip, host;
  uint16_t rport = 0, lport = 0, port = 0;
  uint32_t pid = 0;
  int64_t since = 0;
};

// {"v":1,"status":0,"count":2}, with "error" when status is not 0. `count`: sessions found, or kicked; cache entries
// flushed. Answers about a user have {"user":"joe","result":"ok","passdb":{"host":"10.0.0.1"},"userdb":{}} as well.
struct AdminEnd {
  int status = 0;  // exit code for posternctl
  uint64_t count = 0;
  std::string error;
  std::string user{}, result{}, reason{};  // "ok", "failed", "disabled" ...
  std::vector<std::pair<std::string, std::string>> passdb{}, userdb{};
};

// Lines with their end. Text that is not UTF-8 becomes U+FFFD.
std::string encode_admin(const AdminRequest& request);
std::string encode_admin(const AdminSession& session);
std::string encode_admin(const AdminEnd& end);

// `line` without its end. Members that nobody knows are skipped; a missing one has its default.
Result<AdminRequest> decode_admin_request(std::string_view line);
Result<std::variant<AdminSession, AdminEnd>> decode_admin_answer(std::string_view line);

}  // namespace postern

#endif
