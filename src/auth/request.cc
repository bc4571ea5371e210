#include "auth/request.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <utility>

#include "base/text.h"
#include "crypt/digest.h"
#include "sasl/server_mechanisms.h"

namespace postern {

namespace {

constexpr std::string_view kNoCertificate = "Client didn't present valid SSL certificate";  // recorded text
// AUTH-6: they would break the line-based protocols this password goes to.
constexpr std::string_view kIllegalInPassword("\x01\t\r\n", 4);

}  // namespace

AuthRequest::AuthRequest(AuthSettings& settings, const World& world, AuthStart start, Purpose purpose)
    : settings_(settings), world_(world), start_(std::move(start)), purpose_(purpose) {
  for (const auto& [name, value] : start_.subject.forward) fields_.set("forward_" + name, value);
}

AuthRequest::AuthRequest(AuthSettings& settings, const World& world, UserLookup lookup, Purpose purpose)
    : AuthRequest(settings, world, AuthStart{lookup.id, {}, {}, std::move(lookup.subject), {}}, purpose) {
  lookup_ = std::move(lookup);
}

AuthRequest::~AuthRequest() = default;

AuthStep AuthRequest::begin() {
  if (lookup_) return begin_walk({}, lookup_->user);
  offered_ = purpose_ == Purpose::Login ? settings_.mechanism(start_.mechanism) : find_mechanism(start_.mechanism);
  if (offered_ == nullptr) return refuse(AuthResult::BadMechanism, ReplyTime::Kind::Now);
  if (settings_.require_client_cert && purpose_ == Purpose::Login && !start_.subject.cert_valid) {
    note(subsystem(), kNoCertificate);
    refusal_reason_ = "[ALERT] " + std::string(kNoCertificate);
    return refuse(AuthResult::Failed, ReplyTime::Kind::Now);
  }
  mechanism_ = make_server_mechanism(*offered_, sasl_context());
  auto initial = std::exchange(start_.initial, std::nullopt);
  return take_sasl(mechanism_->step(std::move(initial)));
}

SaslContext AuthRequest::sasl_context() const {
  SaslContext context = settings_.sasl;
  const AuthSubject& subject = start_.subject;
  context.tls_unique = subject.tls_unique;
  context.tls_exporter = subject.tls_exporter;
  const bool can_bind = !subject.tls_unique.empty() || !subject.tls_exporter.empty();
  context.offers_binding = can_bind && settings_.mechanism(std::string(offered_->name) + "-PLUS") != nullptr;
  context.certificate_valid = subject.cert_valid;
  context.certificate_name = subject.cert_name;
  context.service = start_.sasl_service;
  return context;
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
  digest_ = std::move(claim.digest);
  return begin_walk(claim.authzid, claim.authcid);
}

AuthStep AuthRequest::take(SaslVouched vouched) {
  proof_ = Proof::Vouched;
  return begin_walk(vouched.authzid, vouched.authcid);
}

AuthStep AuthRequest::begin_walk(const std::string& authzid, const std::string& authcid) {
  const AuthSubject& subject = start_.subject;
  const bool by_certificate = !lookup_ && settings_.username_from_cert && subject.cert_valid;
  original_user_ = by_certificate ? subject.cert_name : authcid;
  auto why = by_certificate && subject.cert_name.empty()
                 ? std::optional<std::string>("The client certificate has no user name (ssl_cert_username_field)")
                 : set_names(authzid, original_user_);
  if (!why && password_.reveal().find_first_of(kIllegalInPassword) != std::string_view::npos)
    why = "Attempted login with password having illegal chars";
  if (why) {
    note(subsystem(), *why);
    return settle(PassResult::UnknownUser);
  }
  if (lookup_ && lookup_->local_only) return settle(PassResult::UnknownUser);
  cached_as_ = user_;
  if (!asks_policy()) return walk_from_start();
  policy_hash_ = settings_.policy.hash(login_user_.empty() ? user_ : login_user_, password_.reveal());
  return settings_.policy.before_auth() ? ask_policy(Waiting::PolicyBefore) : walk_from_start();
}

AuthStep AuthRequest::walk_from_start() {
  const bool master = !login_user_.empty();
  list_ = master ? &settings_.masters : &settings_.users;
  walk_.emplace(list_->rules, ChainState{}, master);
  return walk_on();
}

// Nothing, or why the names are refused (AUTH-11, AUTH-12).
std::optional<std::string> AuthRequest::set_names(const std::string& authzid, const std::string& authcid) {
  const UsernameRules::Split split =
      lookup_ ? UsernameRules::Split{authcid, {}, false} : settings_.names.split(authcid);
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

uint64_t AuthRequest::attempt_mark() const {
  if (!have_password_) return 0;
  static const uint64_t key[2] = {std::random_device{}() | uint64_t{std::random_device{}()} << 32,
                                  std::random_device{}()};
  std::string text(reinterpret_cast<const char*>(key), sizeof key);
  text.append(original_user_).append(1, '\0');
  const std::string made = digest(DigestKind::Sha256, text, password_.reveal());
  uint64_t mark = 0;
  std::memcpy(&mark, made.data(), std::min(sizeof mark, made.size()));
  return mark;
}

}  // namespace postern
