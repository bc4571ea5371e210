#include "auth/cache.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/text.h"
#include "crypt/digest.h"

namespace postern {

namespace {

constexpr size_t kSecretSize = 32;
constexpr size_t kUnknownShare = 4;  // a quarter of the room
// Of list, table and allocator, beside the entry itself.
constexpr size_t kOverhead = 128;

void append_text(std::string_view text, SecretString& out) {
  const auto size = static_cast<uint32_t>(text.size());
  out.append({reinterpret_cast<const char*>(&size), sizeof size});
  out.append(text);
}

std::string_view take_text(std::string_view& packed) {
  uint32_t size = 0;
  std::memcpy(&size, packed.data(), sizeof size);
  const std::string_view text = packed.substr(sizeof size, size);
  packed.remove_prefix(sizeof size + size);
  return text;
}

// One allocation for all of it, of the size that it has.
SecretString pack(const DbRow& row) {
  SecretString out;
  if (row.password) append_text(row.password->reveal(), out);
  for (const auto& [name, value] : row.fields) {
    append_text(name, out);
    append_text(value, out);
  }
  return SecretString(out.reveal());
}

}  // namespace

CacheKey& CacheKey::add(std::string_view part) {
  append_text(part, material_);
  return *this;
}

// --- entries -----------------------------------------------------------------------

AuthCache::Entry::~Entry() { secure_zero(digest_.data(), digest_.size()); }

DbRow AuthCache::Entry::row() const {
  DbRow row = DbRow::not_found();
  if (!found_) return row;
  row.result = LookupResult::Found;
  std::string_view packed = packed_.reveal();
  if (has_password_) row.password.emplace(take_text(packed));
  row.password_literal = literal_;
  while (!packed.empty()) {
    const std::string_view name = take_text(packed);
    row.fields.emplace_back(name, take_text(packed));
  }
  return row;
}

size_t AuthCache::cost(const Entry& e) { return sizeof(Entry) + kOverhead + e.user_.size() + e.packed_.size(); }

// --- the table ---------------------------------------------------------------------

size_t AuthCache::FirstBytes::operator()(const Key& key) const {
  size_t out = 0;
  std::memcpy(&out, key.bytes.data(), sizeof out);
  return out;
}

AuthCache::AuthCache(CacheSettings settings) : settings_(settings) {
  unknown_.size = settings_.size / kUnknownShare;
  users_.size = settings_.size - unknown_.size;
  std::array<char, kSecretSize> bytes{};
  if (random_bytes(bytes)) secret_.append({bytes.data(), bytes.size()});
  secure_zero(bytes.data(), bytes.size());
}

AuthCache::~AuthCache() = default;

AuthCache::Key AuthCache::key(const CacheKey& parts) const {
  Key out;
  out.valid = !secret_.empty() && keyed_digest(secret_.reveal(), parts.material(), out.bytes);
  return out;
}

AuthCache::Entry* AuthCache::peek(const Key& key) {
  const auto found = by_key_.find(key);
  return found == by_key_.end() ? nullptr : &*found->second;
}

const AuthCache::Entry* AuthCache::find(const Key& key) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  Entries& entries = room_of(*found->second).entries;
  entries.splice(entries.begin(), entries, found->second);
  return &*found->second;
}

bool AuthCache::is_fresh(const Entry& entry, Instant now) const {
  return now - entry.created_ < (entry.found_ ? settings_.ttl : settings_.negative_ttl);
}

void AuthCache::erase(Entries::iterator at) {
  Room& room = room_of(*at);
  room.used -= cost(*at);
  by_key_.erase(at->key_);
  room.entries.erase(at);
}

void AuthCache::forget(const Key& key) {
  const auto found = by_key_.find(key);
  if (found != by_key_.end()) erase(found->second);
}

void AuthCache::make_room(Room& room, size_t bytes) {
  for (; !room.entries.empty() && room.used + bytes > room.size; ++status_.evicted)
    erase(std::prev(room.entries.end()));
}

uint64_t AuthCache::put(const Key& key, std::string_view user, const DbRow& row, Instant now) {
  if (!key.valid) return 0;
  Entry fresh;
  fresh.key_ = key;
  fresh.user_ = user;
  fresh.found_ = row.result == LookupResult::Found;
  if (fresh.found_) fresh.packed_ = pack(row);
  fresh.has_password_ = row.password.has_value();
  fresh.literal_ = row.password_literal;
  fresh.created_ = fresh.asked_ = now;
  if (const Entry* old = peek(key)) inherit(*old, fresh);
  forget(key);
  const bool kept = fresh.found_ || (row.result == LookupResult::NotFound && settings_.negative_ttl.count() > 0);
  Room& room = room_of(fresh);
  if (!kept || cost(fresh) > room.size) return 0;
  make_room(room, cost(fresh));
  room.used += cost(fresh);
  fresh.serial_ = ++last_serial_;
  room.entries.push_front(std::move(fresh));
  by_key_.emplace(key, room.entries.begin());
  return last_serial_;
}

// The password that was right still is when the database has the same for it: the wrong guesses of others don't make
// the user's own logins slow.
void AuthCache::inherit(const Entry& old, Entry& fresh) {
  if (!old.has_digest_ || !old.has_password_ || !fresh.has_password_ || old.literal_ != fresh.literal_) return;
  std::string_view before = old.packed_.reveal(), now = fresh.packed_.reveal();
  if (!equal_constant_time(take_text(before), take_text(now))) return;
  fresh.salt_ = old.salt_;
  fresh.digest_ = old.digest_;
  fresh.has_digest_ = true;
}

size_t AuthCache::flush(std::span<const std::string> masks) {
  size_t count = 0;
  const auto wanted = [&](const Entry& e) {
    return masks.empty() || std::any_of(masks.begin(), masks.end(),
                                        [&](const std::string& mask) { return matches_wildcard(e.user_, mask); });
  };
  for (Room* room : {&users_, &unknown_})
    for (auto at = room->entries.begin(); at != room->entries.end();) {
      const auto next = std::next(at);
      if (wanted(*at)) {
        erase(at);
        ++count;
      }
      at = next;
    }
  return count;
}

CacheStatus AuthCache::status() const {
  CacheStatus out = status_;
  out.size = settings_.size;
  out.used = users_.used + unknown_.used;
  out.entries = by_key_.size();
  return out;
}

// --- passwords ---------------------------------------------------------------------

bool AuthCache::digest_of(std::span<const char> salt, const SecretString& password, std::span<char, 32> out) const {
  SecretString key = secret_;
  key.append({salt.data(), salt.size()});
  return keyed_digest(key.reveal(), password.reveal(), out);
}

bool AuthCache::matches(const Entry& entry, const SecretString& password) const {
  std::array<char, 32> digest{};
  return entry.has_digest_ && digest_of(entry.salt_, password, digest) &&
         equal_constant_time({digest.data(), digest.size()}, {entry.digest_.data(), entry.digest_.size()});
}

void AuthCache::matched(const Key& key, uint64_t serial, const SecretString* password) {
  Entry* entry = peek(key);
  if (entry == nullptr || !entry->found_ || entry->serial_ != serial) return;
  entry->last_matched_ = true;
  const bool by_hash_only = settings_.verify_with_worker && entry->has_password_;
  if (password != nullptr && !by_hash_only)
    entry->has_digest_ = random_bytes(entry->salt_) && digest_of(entry->salt_, *password, entry->digest_);
}

void AuthCache::mismatched(const Key& key, Instant now) {
  Entry* entry = peek(key);
  if (entry == nullptr) return;
  entry->last_matched_ = false;
  entry->asked_ = now;
}

bool AuthCache::asks_again(const Key& key, Instant now) {
  Entry* entry = peek(key);
  if (entry == nullptr || !entry->found_) return true;
  const bool asks = entry->last_matched_ || now - entry->asked_ >= settings_.negative_ttl;
  entry->last_matched_ = false;
  if (!asks) return false;
  ++status_.rechecks;
  entry->asked_ = now;  // others don't ask the same while the database is slow
  return true;
}

void AuthCache::unanswered(const Key& key) {
  if (Entry* entry = peek(key)) entry->last_matched_ = true;
}

void AuthCache::expire(const Key& key, Instant now) {
  if (Entry* entry = peek(key)) entry->created_ = std::min(entry->created_, now - settings_.ttl);
}

}  // namespace postern
