// Addresses whose logins keep failing wait before the next attempt is looked at (AUC-10, AUTH-41 to AUTH-44; IPv6 as
// DECISIONS 1 has it). Pure: time is told.
#ifndef POSTERN_AUTH_PENALTY_H
#define POSTERN_AUTH_PENALTY_H

#include <cstdint>
#include <list>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/address.h"
#include "base/clock.h"

namespace postern {

class Penalty {
 public:
  // At most `max_records` addresses and networks are remembered; the one that was quiet for longest goes first.
  explicit Penalty(size_t max_records = 100000) : max_records_(max_records) {}

  // How long the next attempt from `ip` waits: 0, 4, 8, 15, 15 s for 0 to 4 failures, none of which is older than 15 s.
  Milliseconds delay(const IpAddress& ip, Instant now) const;
  // `attempt` is a mark of user and password: the same one among the last 10 of this address is not counted again, so
  // that one badly set up program does not slow down all others behind its address. 0: not known, always counts.
  // Whether it was counted.
  bool failed(const IpAddress& ip, uint64_t attempt, Instant now);
  void succeeded(const IpAddress& ip);

  // The address or network that `ip` is punished with, as bytes: those with the same one are one in this.
  std::string key(const IpAddress& ip, Instant now) const;
  // When its delay is over if nothing fails until then; `now` when it has none.
  Instant ends_at(const IpAddress& ip, Instant now) const;

  size_t size() const { return records_.size(); }

 private:
  struct Record {
    uint8_t level = 0;
    Instant last{};                        // of the level
    std::vector<uint64_t> attempts;        // newest last
    std::vector<uint64_t> subnets;         // of a /48: those of its /64 that failed
    std::list<std::string>::iterator age;  // in ages_
  };

  Milliseconds delay_of(const std::string& key, Instant now) const;
  void raise(Record& record, Instant now);
  void widen(const IpAddress& ip, Instant now);
  Record& touch(const std::string& key, Instant now);
  void forget_old(Instant now);

  size_t max_records_;
  std::unordered_map<std::string, Record> records_;  // by the bytes of address or network
  std::list<std::string> ages_;                      // keys, by last failure
};

}  // namespace postern

#endif
