// Answers of databases, kept for a while (AUTH-34 to AUTH-39). Pure: time is told, and what a key is made of as well.
#ifndef POSTERN_AUTH_CACHE_H
#define POSTERN_AUTH_CACHE_H

#include <array>
#include <cstdint>
#include <list>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "auth/db.h"
#include "base/clock.h"
#include "base/secret.h"

namespace postern {

// auth_cache_*.
struct CacheSettings {
  size_t size = 0;  // bytes; 0: no cache
  Milliseconds ttl{0}, negative_ttl{0};
  bool verify_with_worker = false;
};

// For posternctl. Counts since the process started.
struct CacheStatus {
  uint64_t size = 0, used = 0, entries = 0;  // bytes, bytes, answers
  uint64_t hits = 0;                         // answered without a database
  uint64_t misses = 0;                       // nothing kept, or too old
  uint64_t rechecks = 0;                     // kept, but the password did not match: the database was asked (AUTH-38)
  uint64_t stale = 0;                        // answered with what was too old, since the database was down
  uint64_t evicted = 0;                      // given up for room
};

// Collects what an answer depends on. Parts cannot run into one another, whatever bytes they have.
class CacheKey {
 public:
  CacheKey& add(std::string_view part);
  std::string_view material() const { return material_.reveal(); }

 private:
  SecretString material_;  // %w may be among it
};

class AuthCache {
 public:
  // Stands for a key: a keyed digest of it, so that no password stands in it and nobody can choose where in the table
  // his names go. Not valid: nothing is to be kept.
  struct Key {
    std::array<char, 32> bytes{};
    bool valid = false;
    bool operator==(const Key&) const = default;
  };

  explicit AuthCache(CacheSettings settings);
  ~AuthCache();
  AuthCache(const AuthCache&) = delete;
  AuthCache& operator=(const AuthCache&) = delete;

  Key key(const CacheKey& parts) const;

  // What is known of one key. Valid until the next call that is not const.
  class Entry {
   public:
    Entry() = default;
    Entry(Entry&&) = default;
    ~Entry();
    // Differs from that of any other answer, for the same key as well.
    uint64_t serial() const { return serial_; }
    bool found() const { return found_; }  // false: no such user
    // The database's answer again. None of its checks: that is matches().
    DbRow row() const;
    bool has_password() const { return has_password_; }
    // A password was seen to be right, and its digest is here.
    bool has_digest() const { return has_digest_; }

   private:
    friend class AuthCache;
    Key key_;
    std::string user_;     // for flush()
    SecretString packed_;  // password and fields
    std::array<char, 16> salt_{};
    std::array<char, 32> digest_{};
    uint64_t serial_ = 0;
    Instant created_{}, asked_{};  // asked_: the database was, last
    bool found_ = false, has_password_ = false, literal_ = false, has_digest_ = false;
    bool last_matched_ = false;
  };

  // Null when nothing is kept. Too old ones count: is_fresh() says so.
  const Entry* find(const Key& key);
  bool is_fresh(const Entry& entry, Instant now) const;
  // Whether `password` is the one that was right last. Constant time.
  bool matches(const Entry& entry, const SecretString& password) const;
  // Whether the database is to be asked about a password that is not the kept one: once after each success, and again
  // after auth_cache_negative_ttl (AUTH-38). From now on it is not.
  bool asks_again(const Key& key, Instant now);

  // It was asked, and could not answer: the next one asks again.
  void unanswered(const Key& key);

  // Keeps what a database said of `user`: a row that was found, or that there is none. What stood there is replaced; an
  // answer that is too large, or is none (Broken), or not to be kept (negative_ttl of 0) leaves nothing there. The
  // entry's serial, or 0.
  uint64_t put(const Key& key, std::string_view user, const DbRow& row, Instant now);
  // The password is right by the answer `serial`; null: it is the kept one, or was only proved. Another answer: nothing
  // happens.
  void matched(const Key& key, uint64_t serial, const SecretString* password);
  // The database itself said that a password is wrong.
  void mismatched(const Key& key, Instant now);
  // Is fresh no longer.
  void expire(const Key& key, Instant now);
  void forget(const Key& key);
  // Users whose names match one of the wildcards, or all; how many answers that were.
  size_t flush(std::span<const std::string> masks);

  bool verifies_with_worker() const { return settings_.verify_with_worker; }
  void count_hit() { ++status_.hits; }
  void count_miss() { ++status_.misses; }
  void count_stale() { ++status_.stale; }
  CacheStatus status() const;

 private:
  // Users that are there and those that are not have rooms of their own, so that guessed names push out nobody's
  // answer.
  struct Room {
    std::list<Entry> entries;   // most recently used first
    size_t size = 0, used = 0;  // bytes
  };
  using Entries = std::list<Entry>;
  Entry* peek(const Key& key);
  void erase(Entries::iterator at);
  Room& room_of(const Entry& entry) { return entry.found_ ? users_ : unknown_; }
  void make_room(Room& room, size_t bytes);
  static size_t cost(const Entry& entry);
  static void inherit(const Entry& old, Entry& fresh);
  bool digest_of(std::span<const char> salt, const SecretString& password, std::span<char, 32> out) const;

  CacheSettings settings_;
  SecretString secret_;  // of this process: what keys and digests are made with
  Room users_, unknown_;
  struct FirstBytes {
    size_t operator()(const Key& key) const;
  };
  std::unordered_map<Key, Entries::iterator, FirstBytes> by_key_;
  uint64_t last_serial_ = 0;
  CacheStatus status_;
};

}  // namespace postern

#endif
