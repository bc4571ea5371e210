// posternctl's end of the admin socket: asks, and hands over the answer line by line. Blocking, with a time limit.
#ifndef POSTERN_CTL_ADMIN_CLIENT_H
#define POSTERN_CTL_ADMIN_CLIENT_H

#include <functional>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "ipc/admin.h"

namespace postern {

class AdminClient {
 public:
  // Exit status of posternctl, 0 when it went well; `error` says more.
  struct Outcome {
    int status = 0;
    std::string error;
  };
  Outcome connect(const std::string& path);
  // Called for each line of the answer, without its end, the last one too.
  using Line = std::function<void(std::string_view line)>;
  // Sends `request`; `end` is the last line of the answer.
  Outcome ask(const AdminRequest& request, const std::function<void(const AdminSession&)>& session, const Line& line,
              AdminEnd& end);

 private:
  bool send(std::string_view bytes) const;
  bool next_line(std::string& line);

  std::string path_, in_;
  Fd fd_;
};

}  // namespace postern

#endif
