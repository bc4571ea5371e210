// What the databases say of a user: which are asked, what their fields and passwords mean, and what the chain makes of
// it.
#include <utility>

#include "auth/checks.h"
#include "auth/request.h"
#include "base/check.h"
#include "base/log.h"

namespace postern {

namespace {

constexpr std::string_view kNoMechanism = "none";  // how a block's `mechanisms` calls look-ups without a login

std::string join_name(std::string_view local, std::string_view domain) {
  std::string out(local);
  return domain.empty() ? out : out.append("@").append(domain);
}

}  // namespace

AuthStep AuthRequest::walk_on() {
  while (const auto index = walk_->next(lookup_ ? std::string_view(kNoMechanism) : start_.mechanism, user_)) {
    at_ = *index;
    saved_fields_ = fields_;
    saved_user_ = user_;
    saved_master_user_ = master_user_;
    // A list of those who may not log in says nothing of their mail.
    if (lookup_ && list_->rules[at_].deny) {
      take_result(PassResult::UnknownUser);
      continue;
    }
    if (!db().cost_sample.empty()) sample_ = &db();
    if (const auto known = unanswerable()) {
      take_result(*known);
      continue;
    }
    auto row = known_row();
    if (!row) return ask(db(), Waiting::Row);
    if (auto step = take_db_row(std::move(*row))) return std::move(*step);
  }
  return chain_over();
}

// What the database at_ says at once; nothing: it is to be asked.
std::optional<DbRow> AuthRequest::known_row() {
  use_ = {};
  return db().local == nullptr ? from_cache(db()) : db().local->lookup(*this, credential_for(db()).secret);
}

AuthStep AuthRequest::ask(const Passdb& database, Waiting waiting) {
  waiting_ = waiting;
  if (database.async != nullptr) return AskAsync{database.async.get(), credential_for(database)};
  return AskLookup{make_lookup(database)};
}

// Nothing when the database checks none, or the password is known to be right, or does not matter.
Credential AuthRequest::credential_for(const Passdb& database) const {
  const bool passdb = local_ == nullptr && !lookup_;
  const bool matters = passdb && !walk_->state().password_verified && !list_->rules[at_].deny;
  if (!database.traits.verifies || !matters) return {};
  if (have_password_) return {&password_};
  return digest_ && database.traits.verifies_digests ? Credential{&digest_->digest, digest_->challenge} : Credential{};
}

// What follows without asking: a proof cannot be checked by a database that has no password to give away (AUTH-20,
// AUTH-27).
std::optional<PassResult> AuthRequest::unanswerable() const {
  const Passdb& database = *list_->databases[at_];
  if (!database.traits.verifies || proof_ != Proof::Open || (digest_ && database.traits.verifies_digests))
    return std::nullopt;
  note(database.driver,
       std::string(offered_->name) + " needs a stored password, and this database only checks passwords");
  return PassResult::UnknownScheme;
}

WorkerLookup AuthRequest::make_lookup(const Passdb& database) const {
  WorkerLookup out;
  out.userdb = local_ != nullptr;
  out.database = database.index;
  if (const SecretString* password = credential_for(database).secret) {
    out.password = *password;
    out.verify = true;
  }
  for (const VariableUse& use : database.traits.uses) {
    if (use.variable == Variable::Password) {
      out.password = password_;
      continue;
    }
    std::string name(name_of(use.variable));
    if (!use.argument.empty()) name.append(":").append(use.argument);
    out.variables.emplace_back(std::move(name), value(use.variable, use.argument));
  }
  return out;
}

AuthStep AuthRequest::take_row(WorkerRow row) {
  DbRow out;
  out.result = row.result;
  out.why = std::move(row.why);
  if (row.has_password) out.password = std::move(row.password);
  out.password_literal = row.password_literal;
  out.fields = std::move(row.row);
  out.check = row.check;
  return take_row(std::move(out));
}

AuthStep AuthRequest::take_row(DbRow row) {
  const Waiting waited = std::exchange(waiting_, Waiting::Nothing);
  POSTERN_CHECK(waited == Waiting::Row || waited == Waiting::UserRow, "no row was asked for");
  if (waited == Waiting::UserRow) {
    take_user_row(keep(*settings_.userdbs.databases[local_->at], std::move(row)));
    return ask_userdbs();
  }
  if (auto step = take_db_row(keep(db(), std::move(row)))) return std::move(*step);
  return walk_on();
}

// The answer of the database at_; nothing when the chain goes on.
std::optional<AuthStep> AuthRequest::take_db_row(DbRow row) {
  if (settings_.debug)
    log_debug(line(db().driver, row.result == LookupResult::Found ? "lookup: found" : "lookup: no result"));
  if (row.result == LookupResult::Found) return decide_password(row);
  if (row.result == LookupResult::Broken) error(db().driver, row.why);
  if (row.result == LookupResult::NotFound && db().verbose) note(db().driver, "unknown user" + shown_password());
  take_result(row.result == LookupResult::Broken ? PassResult::Internal : PassResult::UnknownUser);
  return std::nullopt;
}

std::optional<AuthStep> AuthRequest::decide_password(DbRow& row) {
  if (!row.why.empty() && row.check == PasswordCheck::None) error(db().driver, row.why);
  if (lookup_) return take_result(lookup_result(row)), std::nullopt;
  std::optional<PassResult> result;
  if (!apply_fields(row)) result = PassResult::UnknownUser;
  else if (list_->rules[at_].deny) result = PassResult::Mismatch;  // listed; the password does not matter
  else if (fields_.has("noauthenticate")) result = PassResult::Next;
  else if (walk_->state().password_verified) result = PassResult::Ok;
  else if (row.check != PasswordCheck::None) result = check_result(row);
  else if (proof_ == Proof::Open) result = keep_secret(row);
  else if (proof_ == Proof::Vouched) result = PassResult::Ok;
  else if (fields_.has("nopassword") && (!row.password || row.password->empty())) result = PassResult::Ok;
  if (!result) {
    if (fields_.has("nopassword")) error(db().driver, "nopassword set but password is non-empty");
    return compare(row);
  }
  result = checked(*result);
  if (result == PassResult::Ok && row.check == PasswordCheck::Right && proof_ == Proof::Open) proof_ = Proof::Right;
  take_result(*result);
  return std::nullopt;
}

// The database has compared the password itself.
std::optional<PassResult> AuthRequest::check_result(const DbRow& row) {
  constexpr PassResult kResults[] = {PassResult::Internal, PassResult::Ok, PassResult::Mismatch, PassResult::Disabled,
                                     PassResult::Expired};
  static_assert(std::size(kResults) == static_cast<size_t>(PasswordCheck::kCount));
  if (row.check == PasswordCheck::Right) {
    tell_match(use_.state == CacheUse::State::Hit || use_.state == CacheUse::State::Stale);
    return PassResult::Ok;
  }
  if (row.check == PasswordCheck::Wrong && db().verbose)
    note(db().driver, row.why.empty() ? "Password mismatch" + shown_password() : row.why);
  if (row.check == PasswordCheck::Disabled && !row.why.empty()) note(db().driver, row.why);
  refusal_reason_ = fields_.text("reason");
  refusal_code_ = fields_.text("code");
  refusal_text_ = row.refusal;
  return kResults[static_cast<size_t>(row.check)];
}

// No password, and none of the fields that are about logging in.
PassResult AuthRequest::lookup_result(const DbRow& row) {
  if (!apply_fields(row)) return PassResult::Internal;
  return fields_.has("noauthenticate") ? PassResult::Next : PassResult::Ok;
}

std::optional<AuthStep> AuthRequest::compare(DbRow& row) {
  if (!row.password) {
    // Queries of 2007 are so (row B21).
    error(db().driver,
          "No password returned and no nopassword: where any password is right, add the field nopassword, in SQL 'Y' "
          "AS nopassword");
    take_result(PassResult::Mismatch);
    return std::nullopt;
  }
  const std::string_view stored = row.password->reveal(), scheme = db().traits.default_scheme;
  if (refuses_weak(row)) {
    take_result(PassResult::UnknownScheme);
    return std::nullopt;
  }
  if (!is_slow(stored, scheme, row.password_literal)) {
    take_result(
        checked(result_of(verify_password(stored, password_.reveal(), scheme, row.password_literal, original_user_))));
    return std::nullopt;
  }
  AskVerify ask;
  ask.what.stored = with_scheme(stored, scheme, row.password_literal);
  ask.what.password = password_;
  db().cost_sample = ask.what.stored;
  compared_slow_ = true;
  waiting_ = Waiting::Verdict;
  return ask;
}

// auth_allow_weak_schemes (AUTH-26).
bool AuthRequest::refuses_weak(const DbRow& row) {
  if (settings_.allow_weak_schemes ||
      !is_weak(row.password->reveal(), db().traits.default_scheme, row.password_literal))
    return false;
  error(db().driver, "Weak password scheme, and auth_allow_weak_schemes is no");
  return true;
}

// The first database with a usable password is the one that counts; the proof itself comes after the chain.
PassResult AuthRequest::keep_secret(const DbRow& row) {
  if (!row.password) {
    note(db().driver, "Requested " + std::string(offered_->name) + " scheme, but we have a NULL password");
    return PassResult::UnknownScheme;
  }
  if (refuses_weak(row)) return PassResult::UnknownScheme;
  auto secret = secret_for_proof(row.password->reveal(), db().traits.default_scheme, row.password_literal,
                                 offered_->verifier, offered_->name);
  if (!secret) {
    note(db().driver, secret.error());
    return PassResult::UnknownScheme;
  }
  secret_ = std::move(*secret);
  proof_use_ = use_;
  return PassResult::Ok;
}

AuthStep AuthRequest::take_verdict(const WorkerVerdict& verdict) {
  const Waiting waited = std::exchange(waiting_, Waiting::Nothing);
  if (waited == Waiting::DummyVerdict) return fail_now(delayed_verdict_);
  POSTERN_CHECK(waited == Waiting::Verdict, "no verdict was asked for");
  if (verdict.result == VerifyResult::Mismatch)
    if (auto again = after_mismatch()) return std::move(*again);
  take_result(checked(result_of({verdict.result, verdict.why})));
  return walk_on();
}

PassResult AuthRequest::result_of(const Verification& v) {
  if (v.result == VerifyResult::Match) {
    tell_match(false);
    return PassResult::Ok;
  }
  if (v.result == VerifyResult::Mismatch) {
    if (use_.state == CacheUse::State::Stale) return PassResult::Internal;  // it may be a new one
    if (db().verbose) note(db().driver, "Password mismatch" + shown_password());
    return PassResult::Mismatch;
  }
  error(db().driver, v.why);
  return v.result == VerifyResult::UnknownScheme ? PassResult::UnknownScheme : PassResult::Internal;
}

// Field checks turn a right password into a failure that looks like any other (AUTH-2).
PassResult AuthRequest::checked(PassResult result) {
  if (result != PassResult::Ok) return result;
  std::vector<std::string> notes;
  Status status = check_fields(fields_, start_.subject.remote.ip, start_.subject.real_remote.ip, notes);
  if (status) status = check_certificate_fields(fields_, start_.subject.cert_fp, start_.subject.cert_key_fp);
  for (const std::string& text : notes) note(db().driver, text);
  if (status) return result;
  note(db().driver, status.error());
  refusal_reason_ = fields_.text("reason");
  refusal_code_ = fields_.text("code");
  return PassResult::UnknownUser;
}

void AuthRequest::take_result(PassResult result) {
  nodelay_ |= fields_.has("nodelay");
  if (!walk_->take(result)) roll_back();
  fields_.remove("nopassword");
  fields_.remove("noauthenticate");
}

// As if the database at_ had not answered yet.
void AuthRequest::roll_back() {
  fields_ = saved_fields_;
  user_ = saved_user_;
  master_user_ = saved_master_user_;
}

bool AuthRequest::apply_fields(const DbRow& row) {
  bool good = true;
  for (const FieldTemplate& f : db().defaults) good &= apply_field(f.name, f.value.expand(*this));
  for (const auto& [name, value] : row.fields) good &= apply_field(name, value);
  for (const FieldTemplate& f : db().overrides) good &= apply_field(f.name, f.value.expand(*this));
  return good;
}

// False for a value that makes the login impossible.
bool AuthRequest::apply_field(std::string_view name, std::string_view value) {
  if (name.starts_with("user:") || name.starts_with("username:") || name.starts_with("domain:"))
    return true;  // set they are always
  const bool is_name = name == "user" || name == "username" || name == "domain" || name == "login_user";
  if (!is_name) {
    fields_.apply(name, value);
    return true;
  }
  if (value.empty() || value.find('\0') != std::string_view::npos) {
    error(db().driver, "field " + std::string(name) + " is empty or not a name");
    return false;
  }
  if (name == "user") user_ = value;
  if (name == "username") user_ = join_name(value, domain_part(user_));
  if (name == "domain") user_ = join_name(user_part(user_), value);
  if (name == "login_user") {  // who authenticated becomes the master user
    if (master_user_.empty()) master_user_ = user_;
    user_ = value;
  }
  return true;
}

AuthStep AuthRequest::chain_over() {
  const PassResult verdict = walk_->verdict();
  if (walk_->all_skipped()) error("auth", "All password databases were skipped");
  if (verdict == PassResult::Internal && walk_->ended_with_next())
    error("auth", "Last passdb had noauthenticate field, cannot authenticate");
  if (list_ == &settings_.masters) return master_over(verdict);
  return settle(verdict);
}

// The master's password was right: from now on the user he wants to be (AUTH-12).
AuthStep AuthRequest::master_over(PassResult verdict) {
  if (proof_ == Proof::Right) return refuse_master();
  const bool go_on = walk_->continued() && walk_->state().password_verified;
  if (proof_ == Proof::Open || (verdict != PassResult::Ok && !go_on)) return settle(verdict);
  master_user_ = std::exchange(user_, login_user_);
  cached_as_ = user_;
  list_ = &settings_.users;
  if (!go_on) return succeed();
  const ChainState state = walk_->state();
  walk_.emplace(list_->rules, state);
  return walk_on();
}

}  // namespace postern
