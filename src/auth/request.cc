#include "auth/request.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <utility>

#include "auth/checks.h"
#include "auth/digest.h"
#include "base/check.h"
#include "base/log.h"
#include "base/text.h"
#include "sasl/server_mechanisms.h"

namespace postern {

namespace {

// AUTH-6: they would break the line-based protocols this password goes to.
constexpr std::string_view kIllegalInPassword("\x01\t\r\n", 4);

std::string join_name(std::string_view local, std::string_view domain) {
  std::string out(local);
  return domain.empty() ? out : out.append("@").append(domain);
}

}  // namespace

AuthRequest::AuthRequest(AuthSettings& settings, const World& world, AuthStart start)
    : settings_(settings), world_(world), start_(std::move(start)) {
  for (const auto& [name, value] : start_.subject.forward) fields_.set("forward_" + name, value);
}

AuthRequest::~AuthRequest() = default;

// --- mechanism and names -------------------------------------------------------

AuthStep AuthRequest::begin() {
  offered_ = settings_.mechanism(start_.mechanism);
  if (offered_ == nullptr) return refuse(AuthResult::BadMechanism, ReplyTime::Kind::Now);
  mechanism_ = make_server_mechanism(*offered_);
  auto initial = std::exchange(start_.initial, std::nullopt);
  return take_sasl(mechanism_->step(std::move(initial)));
}

AuthStep AuthRequest::respond(SecretString response) {
  const Waiting waited = std::exchange(waiting_, Waiting::Nothing);
  if (waited == Waiting::LastWord) return settle(delayed_verdict_);
  if (waited == Waiting::RefusalHeard) return refuse(refusal_, ReplyTime::Kind::Now);
  return take_sasl(mechanism_->step(std::move(response)));
}

AuthStep AuthRequest::take_sasl(SaslStep step) {
  return std::visit([this](auto& s) { return take(std::move(s)); }, step);
}

AuthStep AuthRequest::take(SaslChallenge challenge) { return AskResponse{std::move(challenge.text)}; }

AuthStep AuthRequest::take(SaslBad bad) {
  note(to_lower(start_.mechanism), bad.why);
  return refuse(AuthResult::Failed, ReplyTime::Kind::AfterFailure);
}

AuthStep AuthRequest::take(SaslPassword credentials) {
  password_ = std::move(credentials.password);
  have_password_ = true;
  return begin_walk(credentials.authzid, credentials.authcid);
}

AuthStep AuthRequest::take(SaslClaim claim) {
  proof_ = Proof::Open;
  return begin_walk(claim.authzid, claim.authcid);
}

AuthStep AuthRequest::begin_walk(const std::string& authzid, const std::string& authcid) {
  original_user_ = authcid;
  auto why = set_names(authzid, authcid);
  if (!why && password_.reveal().find_first_of(kIllegalInPassword) != std::string_view::npos)
    why = "Attempted login with password having illegal chars";
  if (why) {
    note(to_lower(start_.mechanism), *why);
    return settle(PassResult::UnknownUser);
  }
  const bool master = !login_user_.empty();
  list_ = master ? &settings_.masters : &settings_.users;
  walk_.emplace(list_->rules, ChainState{}, master);
  return walk_on();
}

// Nothing, or why the names are refused (AUTH-11, AUTH-12).
std::optional<std::string> AuthRequest::set_names(const std::string& authzid, const std::string& authcid) {
  const UsernameRules::Split split = settings_.names.split(authcid);
  if (split.is_master_login && !authzid.empty() && authzid != split.login)
    return "Login user is given twice: by the separator and as authorization identity";
  if (split.is_master_login && split.login != split.master) return set_master_names(split.login, split.master);
  if (!authzid.empty() && authzid != authcid) return set_master_names(authzid, authcid);
  auto name = settings_.names.normalize(split.login, *this);
  if (!name) return name.error();
  user_ = std::move(*name);
  return std::nullopt;
}

std::optional<std::string> AuthRequest::set_master_names(std::string_view login, std::string_view master) {
  auto master_name = settings_.names.normalize(master, *this);
  if (!master_name) return master_name.error();
  user_ = std::move(*master_name);
  auto login_name = settings_.names.normalize(login, *this);
  if (!login_name) return "Master user login: " + login_name.error();
  login_user_ = std::move(*login_name);
  if (settings_.masters.databases.empty()) return "Attempted master login with no master passdbs";
  return std::nullopt;
}

// --- chain -----------------------------------------------------------------------

AuthStep AuthRequest::walk_on() {
  while (const auto index = walk_->next(start_.mechanism, user_)) {
    at_ = *index;
    saved_fields_ = fields_;
    saved_user_ = user_;
    if (!db().cost_sample.empty()) sample_ = &db();
    if (db().local == nullptr) {
      waiting_ = Waiting::Row;
      return AskLookup{make_lookup(db())};
    }
    if (auto step = take_db_row(db().local->lookup(*this))) return std::move(*step);
  }
  return chain_over();
}

WorkerLookup AuthRequest::make_lookup(const Passdb& database) const {
  WorkerLookup out;
  out.userdb = local_ != nullptr;
  out.database = database.index;
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
  const Waiting waited = std::exchange(waiting_, Waiting::Nothing);
  POSTERN_CHECK(waited == Waiting::Row || waited == Waiting::UserRow, "no row was asked for");
  DbRow out;
  out.result = row.result;
  out.why = std::move(row.why);
  if (row.has_password) out.password = std::move(row.password);
  out.password_literal = row.password_literal;
  out.fields = std::move(row.row);
  if (waited == Waiting::UserRow) {
    take_user_row(std::move(out));
    return ask_userdbs();
  }
  if (auto step = take_db_row(std::move(out))) return std::move(*step);
  return walk_on();
}

// The answer of the database at_; nothing when the chain goes on.
std::optional<AuthStep> AuthRequest::take_db_row(DbRow row) {
  if (settings_.debug) log_debug(line(db().driver, row.result == LookupResult::Found ? "lookup: found" : "lookup: no result"));
  if (row.result == LookupResult::Found) return decide_password(row);
  if (row.result == LookupResult::Broken) error(db().driver, row.why);
  if (row.result == LookupResult::NotFound && db().verbose) note(db().driver, "unknown user" + shown_password());
  take_result(row.result == LookupResult::Broken ? PassResult::Internal : PassResult::UnknownUser);
  return std::nullopt;
}

std::optional<AuthStep> AuthRequest::decide_password(DbRow& row) {
  if (!row.why.empty()) error(db().driver, row.why);
  std::optional<PassResult> result;
  if (!apply_fields(row)) result = PassResult::UnknownUser;
  else if (list_->rules[at_].deny) result = PassResult::Mismatch;  // listed; the password does not matter
  else if (fields_.has("noauthenticate")) result = PassResult::Next;
  else if (walk_->state().password_verified) result = PassResult::Ok;
  else if (proof_ == Proof::Open) result = keep_secret(row);
  else if (fields_.has("nopassword") && (!row.password || row.password->empty())) result = PassResult::Ok;
  if (!result) {
    if (fields_.has("nopassword")) error(db().driver, "nopassword set but password is non-empty");
    return compare(row);
  }
  take_result(checked(*result));
  return std::nullopt;
}

std::optional<AuthStep> AuthRequest::compare(DbRow& row) {
  if (!row.password) {
    note(db().driver, "No password returned (and no nopassword)");
    take_result(PassResult::Mismatch);
    return std::nullopt;
  }
  const std::string_view stored = row.password->reveal(), scheme = db().traits.default_scheme;
  if (!is_slow(stored, scheme, row.password_literal)) {
    take_result(checked(result_of(verify_password(stored, password_.reveal(), scheme, row.password_literal))));
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

// The first database with a usable password is the one that counts; the proof itself comes after the chain.
PassResult AuthRequest::keep_secret(const DbRow& row) {
  if (!row.password) {
    note(db().driver, "Requested " + std::string(offered_->name) + " scheme, but we have a NULL password");
    return PassResult::UnknownScheme;
  }
  auto secret = secret_for_proof(row.password->reveal(), db().traits.default_scheme, row.password_literal, offered_->verifier, offered_->name);
  if (!secret) {
    note(db().driver, secret.error());
    return PassResult::UnknownScheme;
  }
  secret_ = std::move(*secret);
  return PassResult::Ok;
}

AuthStep AuthRequest::take_verdict(const WorkerVerdict& verdict) {
  const Waiting waited = std::exchange(waiting_, Waiting::Nothing);
  if (waited == Waiting::DummyVerdict) return fail_now(delayed_verdict_);
  POSTERN_CHECK(waited == Waiting::Verdict, "no verdict was asked for");
  take_result(checked(result_of({verdict.result, verdict.why})));
  return walk_on();
}

PassResult AuthRequest::result_of(const Verification& v) {
  if (v.result == VerifyResult::Match) return PassResult::Ok;
  if (v.result == VerifyResult::Mismatch) {
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
  const Status status = check_fields(fields_, start_.subject.remote.ip, start_.subject.real_remote.ip, notes);
  for (const std::string& text : notes) note(db().driver, text);
  if (status) return result;
  note(db().driver, status.error());
  refusal_reason_ = fields_.text("reason");
  refusal_code_ = fields_.text("code");
  return PassResult::UnknownUser;
}

void AuthRequest::take_result(PassResult result) {
  nodelay_ |= fields_.has("nodelay");
  if (!walk_->take(result)) {
    fields_ = saved_fields_;
    user_ = saved_user_;
  }
  fields_.remove("nopassword");
  fields_.remove("noauthenticate");
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
  if (name.starts_with("user:") || name.starts_with("username:") || name.starts_with("domain:")) return true;  // set they are always
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
  if (verdict == PassResult::Internal && walk_->ended_with_next()) error("auth", "Last passdb had noauthenticate field, cannot authenticate");
  if (list_ == &settings_.masters) return master_over(verdict);
  return settle(verdict);
}

// The master's password was right: from now on the user he wants to be (AUTH-12).
AuthStep AuthRequest::master_over(PassResult verdict) {
  const bool go_on = walk_->continued() && walk_->state().password_verified;
  if (proof_ == Proof::Open || (verdict != PassResult::Ok && !go_on)) return settle(verdict);
  master_user_ = std::exchange(user_, login_user_);
  list_ = &settings_.users;
  if (!go_on) return succeed();
  const ChainState state = walk_->state();
  walk_.emplace(list_->rules, state);
  return walk_on();
}

uint64_t AuthRequest::attempt_mark() const {
  if (!have_password_) return 0;
  static const uint64_t key[2] = {std::random_device{}() | uint64_t{std::random_device{}()} << 32, std::random_device{}()};
  std::string text(reinterpret_cast<const char*>(key), sizeof key);
  text.append(original_user_).append(1, '\0');
  const std::string made = digest(DigestKind::Sha256, text, password_.reveal());
  uint64_t mark = 0;
  std::memcpy(&mark, made.data(), std::min(sizeof mark, made.size()));
  return mark;
}

// --- values ----------------------------------------------------------------------

namespace {

std::string port_text(const Endpoint& e) { return e.port == 0 ? std::string() : std::to_string(e.port); }

using SubjectValue = std::string (*)(const AuthSubject& s);
struct SubjectRow {
  Variable variable;
  SubjectValue value;
};
constexpr SubjectRow kSubjectValues[] = {
    {Variable::Service, [](const AuthSubject& s) { return s.service; }},
    {Variable::LocalIp, [](const AuthSubject& s) { return s.local.ip.text(); }},
    {Variable::LocalPort, [](const AuthSubject& s) { return port_text(s.local); }},
    {Variable::RemoteIp, [](const AuthSubject& s) { return s.remote.ip.text(); }},
    {Variable::RemotePort, [](const AuthSubject& s) { return port_text(s.remote); }},
    {Variable::RealLocalIp, [](const AuthSubject& s) { return s.real_local.ip.text(); }},
    {Variable::RealLocalPort, [](const AuthSubject& s) { return port_text(s.real_local); }},
    {Variable::RealRemoteIp, [](const AuthSubject& s) { return s.real_remote.ip.text(); }},
    {Variable::RealRemotePort, [](const AuthSubject& s) { return port_text(s.real_remote); }},
    {Variable::Pid, [](const AuthSubject& s) { return std::to_string(s.pid); }},
    {Variable::Secured, [](const AuthSubject& s) { return s.secured; }},
    {Variable::Session, [](const AuthSubject& s) { return s.session; }},
    {Variable::ClientId, [](const AuthSubject& s) { return s.client_id; }},
    {Variable::LocalName, [](const AuthSubject& s) { return s.local_name; }},
};

// Variables that are a name or a part of one: which name, which part.
enum class Whose : uint8_t { Login, Original, Auth };
struct NameRow {
  Variable variable;
  Whose whose;
  Variable part;
};
constexpr NameRow kNameValues[] = {
    {Variable::LoginUser, Whose::Login, Variable::User},
    {Variable::LoginUsername, Whose::Login, Variable::Username},
    {Variable::LoginDomain, Whose::Login, Variable::Domain},
    {Variable::OriginalUser, Whose::Original, Variable::User},
    {Variable::OriginalUsername, Whose::Original, Variable::Username},
    {Variable::OriginalDomain, Whose::Original, Variable::Domain},
    {Variable::AuthUser, Whose::Auth, Variable::User},
    {Variable::AuthUsername, Whose::Auth, Variable::Username},
    {Variable::AuthDomain, Whose::Auth, Variable::Domain},
};

}  // namespace

std::string AuthRequest::value(Variable variable, std::string_view argument) const {
  if (is_name_variable(variable)) return name_variable(variable, user_);
  if (variable == Variable::Home || variable == Variable::UserdbField) return userdb_value(variable == Variable::Home ? "home" : argument);
  if (variable == Variable::PassdbField) return std::string(fields_.text(argument));
  if (variable == Variable::Password) return std::string(password_.reveal());
  if (variable == Variable::Mechanism) return start_.mechanism;
  if (variable == Variable::MasterUser) return master_user_;
  for (const SubjectRow& row : kSubjectValues)
    if (row.variable == variable) return row.value(start_.subject);
  for (const NameRow& row : kNameValues) {
    if (row.variable != variable) continue;
    const std::string& auth_user = master_user_.empty() ? user_ : master_user_;
    return name_variable(row.part, row.whose == Whose::Login ? login_user_ : row.whose == Whose::Original ? original_user_ : auth_user);
  }
  return {};
}

}  // namespace postern
