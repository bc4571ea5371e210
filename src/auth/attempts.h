// Whose turn it is: addresses whose logins fail are served one attempt at a time, so that guessing side by side gains
// nothing (AUTH-41 to AUTH-44, whose last sentence this mends). Pure: time is told.
#ifndef POSTERN_AUTH_ATTEMPTS_H
#define POSTERN_AUTH_ATTEMPTS_H

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "auth/penalty.h"

namespace postern {

// An address without a recent failure is in nobody's way: all its attempts run at once. After a failure the next one
// waits as Penalty says, the others in line behind it; and the verdict of one that was running beside the failure waits
// like an attempt that had not begun yet. A success, or the end of the penalty, lets all of them go.
class Attempts {
 public:
  // Of one address at most `max_waiting` wait.
  explicit Attempts(size_t max_waiting) : max_waiting_(max_waiting) {}

  enum class Turn : uint8_t { Now, Later, TooMany };
  // A new attempt. Later: take_due() names it when it may begin. TooMany: it is not known here.
  Turn begins(uint64_t ticket, const IpAddress& ip, Instant now);

  enum class Verdict : uint8_t { Right, Wrong, None };  // None: nobody learns anything of the password
  // The verdict on an attempt that runs. Later: take_due() names it when this is to be said again, and counts. `mark`
  // as Penalty::failed() has it. After Now the attempt is forgotten. Unknown tickets: Now.
  Turn ends(uint64_t ticket, Verdict verdict, uint64_t mark, Instant now);
  // The client has left.
  void forget(uint64_t ticket, Instant now);

  // Those whose turn has come by `now`.
  std::vector<uint64_t> take_due(Instant now);
  std::optional<Instant> next() const;
  const Penalty& penalty() const { return penalty_; }

 private:
  struct Attempt {
    std::string line;
    IpAddress ip;
    uint64_t failures = 0;  // of the line, when it began
    bool has_turn = false;
  };
  struct Line {
    std::deque<uint64_t> waiting;
    uint64_t turn = 0;  // whose turn it is; 0: nobody's
    uint64_t failures = 0;
    size_t attempts = 0;         // those that refer to it
    std::optional<Instant> due;  // an entry of due_
    bool due_is_turn = false;    // of the first one waiting; else the penalty's end
  };

  void wait(uint64_t ticket, Line& line, Instant now);
  void count(const Attempt& attempt, Line& line, Verdict verdict, uint64_t mark, Instant now);
  void leave(uint64_t ticket, Instant now);
  void arrange(const std::string& key, Line& line, Instant now);
  void set_due(const std::string& key, Line& line, std::optional<Instant> due);

  size_t max_waiting_;
  Penalty penalty_;
  std::unordered_map<uint64_t, Attempt> attempts_;
  std::unordered_map<std::string, Line> lines_;
  std::multimap<Instant, std::string> due_;
};

}  // namespace postern

#endif
