// What a request has to do with the cache: answers that are there already, and those that are kept (AUTH-35 to
// AUTH-38).
#include <algorithm>

#include "auth/request.h"
#include "base/log.h"

namespace postern {

namespace {

bool has_field(const FieldList& fields, std::string_view name) {
  return std::any_of(fields.begin(), fields.end(),
                     [&](const auto& field) { return field_base_name(field.first) == name; });
}

// AUTH-37: not what is true of this moment only.
bool is_kept(const DbRow& row) {
  const bool passing = row.check == PasswordCheck::Disabled || row.check == PasswordCheck::Expired;
  return !passing && !has_field(row.fields, "noauthenticate");
}

}  // namespace

// The user's name is part of every key, whatever the look-up uses (AUTH-36). A database that is to check a password may
// say less of the user than one that is not.
AuthCache::Key AuthRequest::cache_key(const Passdb& database) const {
  CacheKey key;
  key.add(local_ != nullptr ? "U" : "P")
      .add(std::to_string(database.index))
      .add(credential_for(database).secret != nullptr ? "v" : "");
  key.add(cached_as_).add(master_user_);
  for (const VariableUse& use : database.traits.uses) key.add(value(use.variable, use.argument));
  return world_.cache->key(key);
}

// Whether the answer of the passdb at_ is about the password that the client gave.
bool AuthRequest::compares_password() const {
  const bool login = local_ == nullptr && !lookup_ && have_password_ && proof_ != Proof::Open;
  return login && !walk_->state().password_verified && !list_->rules[at_].deny;
}

// What is known without asking; nothing: `database` is to be asked.
std::optional<DbRow> AuthRequest::from_cache(const Passdb& database) {
  use_ = {};
  if (world_.cache == nullptr || !database.traits.cacheable) return std::nullopt;
  AuthCache& cache = *world_.cache;
  use_.key = cache_key(database);
  const AuthCache::Entry* entry = use_.key.valid ? cache.find(use_.key) : nullptr;
  if (entry == nullptr || !cache.is_fresh(*entry, world_.now())) {
    cache.count_miss();
    return tell_cache(database, entry == nullptr ? "miss" : "expired"), std::nullopt;
  }
  DbRow row = entry->row();
  if (!judge(database, *entry, row))
    return tell_cache(database, "password mismatch, asking the database"), std::nullopt;
  cache.count_hit();
  tell_cache(database, row.result == LookupResult::Found ? "hit" : "hit: unknown user");
  use_.state = CacheUse::State::Hit;
  use_.serial = entry->serial();
  return row;
}

void AuthRequest::tell_cache(const Passdb& database, std::string_view what) const {
  if (settings_.debug) log_debug(line(database.driver, "cache " + std::string(what)));
}

// Looks at the password before the fields change anything. False: the database is to be asked, for the password may be
// new (AUTH-38). A slow hash is left to compare(), unless it is known by now that the password is another one.
bool AuthRequest::judge(const Passdb& database, const AuthCache::Entry& entry, DbRow& row) {
  if (!entry.found() || !compares_password()) return true;
  const bool right = world_.cache->matches(entry, password_);
  const bool no_password = !row.password || row.password->empty();
  if (right) row.check = PasswordCheck::Right;
  if (right || (no_password && !database.traits.verifies)) return true;
  if (!database.traits.verifies && !entry.has_digest()) {
    const std::string_view stored = row.password->reveal(), scheme = database.traits.default_scheme;
    if (is_slow(stored, scheme, row.password_literal)) return true;
    if (verify_password(stored, password_.reveal(), scheme, row.password_literal, original_user_).result !=
        VerifyResult::Mismatch)
      return true;
  }
  if (!ask_again()) {
    if (database.traits.verifies) row.check = PasswordCheck::Wrong;
    return true;
  }
  return false;
}

bool AuthRequest::ask_again() {
  if (!world_.cache->asks_again(use_.key, world_.now())) return false;
  use_.state = CacheUse::State::Doubted;
  return true;
}

// A kept slow hash was compared with a password that is not the one: perhaps it is a new one.
std::optional<AuthStep> AuthRequest::after_mismatch() {
  if (use_.state != CacheUse::State::Hit || !ask_again()) return std::nullopt;
  tell_cache(db(), "password mismatch, asking the database");
  roll_back();
  return ask(db(), Waiting::Row);
}

// A database's answer on its way to be used: kept, or replaced by an older one.
DbRow AuthRequest::keep(const Passdb& database, DbRow row) {
  if (!use_.key.valid) return row;
  AuthCache& cache = *world_.cache;
  if (row.result == LookupResult::Broken) return fall_back(database, std::move(row));
  if (row.check == PasswordCheck::Wrong) cache.mismatched(use_.key, world_.now());
  else if (!is_kept(row)) cache.forget(use_.key);
  else if (row.result == LookupResult::NotFound || row.check == PasswordCheck::Right ||
           credential_for(database).secret == nullptr)
    use_.serial = cache.put(use_.key, cached_as_, row, world_.now());
  return row;
}

// The database is down. What it said once still counts for those whose password it was; nobody is refused by what is
// too old.
DbRow AuthRequest::fall_back(const Passdb& database, DbRow broken) {
  AuthCache& cache = *world_.cache;
  cache.unanswered(use_.key);
  const AuthCache::Entry* entry = cache.find(use_.key);
  if (entry == nullptr || !entry->found() || use_.state == CacheUse::State::Doubted) return broken;
  const bool right = compares_password() && cache.matches(*entry, password_);
  if (compares_password() && database.traits.verifies && !right) return broken;
  error(database.driver, broken.why);
  note(database.driver, "Falling back to expired data from cache");
  cache.count_stale();
  use_.state = CacheUse::State::Stale;
  use_.serial = entry->serial();
  DbRow row = entry->row();
  if (right) row.check = PasswordCheck::Right;
  return row;
}

// The password of this request is right by the answer in hand. `known`: by the digest that is kept.
void AuthRequest::tell_match(bool known) {
  if (use_.key.valid) world_.cache->matched(use_.key, use_.serial, known ? nullptr : &password_);
}

// Proofs are checked after the chain: the secret's answer may not be the last one.
void AuthRequest::tell_proof(bool right) {
  if (!proof_use_.key.valid) return;
  if (right) return world_.cache->matched(proof_use_.key, proof_use_.serial, nullptr);
  const bool kept = proof_use_.state == CacheUse::State::Hit;
  // It cannot be proved again with what the database has now; the next attempt finds it there.
  if (kept && world_.cache->asks_again(proof_use_.key, world_.now()))
    world_.cache->expire(proof_use_.key, world_.now());
}

}  // namespace postern
