// A small LMTP or SMTP server in the loop of a test.
#ifndef POSTERN_T_DELIVERY_MAIL_SERVER_H
#define POSTERN_T_DELIVERY_MAIL_SERVER_H

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "event/loop.h"
#include "proto/smtp/message_text.h"

namespace postern::test {

class MailServer {
 public:
  explicit MailServer(Loop& loop);

  // --- how it is ---
  std::string capabilities = "250-bk\r\n250-ENHANCEDSTATUSCODES\r\n250 PIPELINING\r\n";
  bool answers_each = true;  // LMTP
  std::map<std::string, std::string>
      replies;                      // by verb, instead of the usual; "end": to the message, for all; empty: none
  std::vector<std::string> finals;  // to the message, one after the other; then 250
  std::string closes_at;  // a verb; "body": within the message; "end": behind it; "final": behind the first final reply
  bool reads = true;      // else nothing of a message; see read_on()

  // --- what it saw ---
  uint16_t port = 0;
  size_t connections = 0, open = 0;
  std::string commands;  // "MAIL FROM:<a@b>|RCPT TO:<c@d>|"
  std::string message;   // in the inner form, at most kKept bytes
  uint64_t message_size = 0;
  bool complete = false;  // a message was read to its end
  size_t count(std::string_view what) const;

  void read_on();

 private:
  static constexpr size_t kKept = 1 << 20;

  struct Connection {
    MailServer* server;
    Fd fd;
    Watch watch{};
    std::string in{};
    size_t taken = 0;  // recipients
    bool in_data = false, last = false;
    uint64_t chunk = 0;
    smtp::DataReader data{};
  };
  void accept();
  void on_readable(Connection& c);
  bool step(Connection& c);
  bool read_line(Connection& c);
  bool read_message(Connection& c);
  void command(Connection& c, const std::string& line);
  void keep(std::string_view text);
  void end_message(Connection& c);
  void say(Connection& c, std::string_view text);
  bool closes(Connection& c, std::string_view where);
  void close(Connection& c);

  Loop& loop_;
  Fd listener_;
  Watch watch_;
  std::vector<std::unique_ptr<Connection>> all_;
};

}  // namespace postern::test

#endif
