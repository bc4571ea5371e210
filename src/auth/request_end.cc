// How a request ends: destination, reply, log.
#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "auth/checks.h"
#include "auth/request.h"
#include "base/check.h"
#include "base/log.h"
#include "base/text.h"
#include "crypt/digest.h"

namespace postern {

namespace {

// Fields that end here; all others are for the login process (AUTH-9).
constexpr std::string_view kOwnFields[] = {
    "pass",           "allow_nets",      "allow_real_nets",      "fail",
    "nodelay",        "delay_until",     "proxy_always",         "nopassword",
    "noauthenticate", "check_client_fp", "check_client_cert_fp", "check_client_pubkey_fp"};

constexpr std::string_view kUserdbPrefix = "userdb_";  // a login process learns nothing of them (PRIV-13)

FieldList visible_fields(const FieldSet& fields) {
  FieldList out;
  out.reserve(fields.list().size());
  for (const auto& field : fields.list())
    if (!istarts_with(field.first, kUserdbPrefix) &&
        std::find(std::begin(kOwnFields), std::end(kOwnFields), field.first) == std::end(kOwnFields))
      out.push_back(field);
  return out;
}

struct CodeRow {
  std::string_view word;
  AuthResult result;
};
constexpr CodeRow kCodes[] = {{"authz_fail", AuthResult::AuthzFailed},
                              {"temp_fail", AuthResult::Unavailable},
                              {"user_disabled", AuthResult::Disabled},
                              {"pass_expired", AuthResult::Expired},
                              {"invalid_base64", AuthResult::BadEncoding}};

AuthResult result_for(PassResult verdict, std::string_view code, bool master_done) {
  for (const CodeRow& row : kCodes)
    if (row.word == code) return row.result;
  if (verdict == PassResult::Disabled) return AuthResult::Disabled;
  if (verdict == PassResult::Expired) return AuthResult::Expired;
  if (verdict == PassResult::Internal) return AuthResult::Unavailable;
  return master_done ? AuthResult::AuthzFailed : AuthResult::Failed;
}

}  // namespace

// --- proofs ------------------------------------------------------------------------

AuthStep AuthRequest::settle(PassResult verdict) {
  if (lookup_) return settle_lookup(verdict);
  if (proof_ == Proof::Open && verdict != PassResult::Internal) return prove(verdict);
  return verdict == PassResult::Ok ? succeed() : fail(verdict);
}

// Who is in no passdb may still have his mail here (LMTP-3).
AuthStep AuthRequest::settle_lookup(PassResult verdict) {
  if (verdict == PassResult::Ok) return succeed();
  if (verdict == PassResult::Internal) return refuse(AuthResult::Unavailable, ReplyTime::Kind::Now);
  if (purpose_ != Purpose::Login || settings_.mail_program(start_.subject.service) == nullptr || user_.empty())
    return refuse(AuthResult::Failed, ReplyTime::Kind::Now);
  Finished found;
  found.reply.id = start_.id;
  found.reply.result = AuthResult::Ok;
  found.reply.user = user_;
  return begin_local(std::move(found));
}

// Whatever the chain said, the client first proves what he claims: nobody learns who exists.
AuthStep AuthRequest::prove(PassResult verdict) {
  delayed_verdict_ = verdict;
  return take_sasl(mechanism_->supply(secret_ ? &*secret_ : nullptr));
}

AuthStep AuthRequest::take(SaslProven proven) {
  proof_ = Proof::Right;
  tell_proof(true);
  if (list_ == &settings_.masters) return refuse_master();
  if (!proven.last_word || delayed_verdict_ != PassResult::Ok) return settle(delayed_verdict_);
  waiting_ = Waiting::LastWord;
  return AskResponse{std::move(*proven.last_word)};
}

// As the reference does (recorded: imap-master-cram): masters log in with their password.
AuthStep AuthRequest::refuse_master() {
  note(to_lower(start_.mechanism), "Master users need a mechanism that sends the password");
  master_user_ = std::exchange(user_, login_user_);
  return fail_now(PassResult::Mismatch);
}

AuthStep AuthRequest::take(SaslDisproven) {
  proof_ = Proof::Wrong;
  tell_proof(false);
  if (secret_) note(to_lower(start_.mechanism), "Password mismatch");
  if (proof_use_.state == CacheUse::State::Stale)
    return fail_now(PassResult::Internal);  // the password may be a new one
  return fail_now(delayed_verdict_ == PassResult::Ok ? PassResult::Mismatch : delayed_verdict_);
}

// --- success -----------------------------------------------------------------------

AuthStep AuthRequest::succeed() {
  return asks_policy() && settings_.policy.after_auth() ? ask_policy(Waiting::PolicyAfter) : finish_success();
}

AuthStep AuthRequest::finish_success() {
  return fields_.has("proxy") || fields_.has("proxy_maybe") ? resolve_destination() : accept({});
}

AuthStep AuthRequest::resolve_destination() {
  const std::string* host = fields_.find("host");
  const std::string_view hostip = fields_.text("hostip");
  if (host == nullptr || host->empty()) return with_addresses({});  // the login's router says what is wrong
  const auto literal = IpAddress::parse(*host), given = IpAddress::parse(hostip);
  if (literal && given && *literal != *given) {
    error("proxy", "host and hostip are different addresses");
    return fail_now(PassResult::Internal);
  }
  if (given || literal) return with_addresses({given ? *given : *literal});
  if (!hostip.empty()) return with_addresses({});
  const auto seconds = parse_number(fields_.text("proxy_timeout"), 3600);
  waiting_ = Waiting::Addresses;
  return AskAddresses{*host, seconds && *seconds > 0 ? Milliseconds(*seconds * 1000) : settings_.dns_timeout};
}

AuthStep AuthRequest::take_addresses(const Result<std::vector<IpAddress>>& addresses) {
  POSTERN_CHECK(std::exchange(waiting_, Waiting::Nothing) == Waiting::Addresses, "no addresses were asked for");
  if (addresses) return with_addresses(*addresses);
  error("proxy", "DNS lookup for " + printable(fields_.text("host")) + " failed: " + addresses.error());
  return fail_now(PassResult::Internal);
}

// AUC-22; destuser is not compared.
bool AuthRequest::is_self(const std::vector<IpAddress>& addresses) const {
  const Endpoint& local = start_.subject.real_local;
  if (const std::string* port = fields_.find("port"); port != nullptr && parse_number(*port, 65535) != local.port)
    return false;
  return std::any_of(addresses.begin(), addresses.end(), [&](const IpAddress& ip) {
    return ip == local.ip ||
           std::find(settings_.proxy_self.begin(), settings_.proxy_self.end(), ip) != settings_.proxy_self.end();
  });
}

AuthStep AuthRequest::with_addresses(std::vector<IpAddress> addresses) {
  if (!fields_.has("proxy_maybe")) return accept(std::move(addresses));
  if (!is_self(addresses)) {
    fields_.remove("proxy_maybe");
    fields_.set("proxy", "y");
    return accept(std::move(addresses));
  }
  const bool always = fields_.has("proxy_always");
  for (const std::string_view name : {"proxy", "proxy_maybe", "host", "hostip", "port", "destuser"})
    fields_.remove(name);
  if (always) fields_.set("proxy", "y");
  return accept({});
}

AuthStep AuthRequest::accept(std::vector<IpAddress> addresses) {
  Finished out;
  if (const std::string* until = fields_.find("delay_until")) {
    const auto max_ahead = static_cast<uint64_t>(settings_.max_delay_until.count() / 1000);
    const auto time = parse_delay_until(*until, world_.wall_seconds(), max_ahead, world_.random_below);
    if (!time) {
      error(subsystem(), time.error());
      return fail_now(PassResult::Mismatch);
    }
    if (*time > 0) out.when = {ReplyTime::Kind::Until, *time};
  }
  AuthReply& reply = out.reply;
  reply.id = start_.id;
  reply.result = AuthResult::Ok;
  reply.user = user_;
  reply.master_user = master_user_;
  reply.reason = fields_.text("reason");
  reply.extra = visible_fields(fields_);
  if (fields_.has("proxy")) hand_destination(reply, std::move(addresses));
  if (purpose_ == Purpose::Login ? is_local() : purpose_ == Purpose::TestAll) return begin_local(std::move(out));
  return out;
}

void AuthRequest::hand_destination(AuthReply& reply, std::vector<IpAddress> addresses) {
  reply.addresses = std::move(addresses);
  const std::string* pass = fields_.find("pass");
  if (pass == nullptr && have_password_) reply.password = std::move(password_);
  if (pass != nullptr) reply.password.emplace(*pass);
  const std::string_view surprise = surprise_in_tls(fields_);
  if (!surprise.empty() && world_.may_warn && world_.may_warn(user_)) log_warning(line("proxy", surprise));
}

// --- failure -----------------------------------------------------------------------

// Users that don't exist take the time of those that do, once a slow hash was seen (AUTH-5).
AuthStep AuthRequest::fail(PassResult verdict) {
  const bool plain_failure = verdict == PassResult::UnknownUser || verdict == PassResult::Mismatch;
  if (!plain_failure || compared_slow_ || sample_ == nullptr || !have_password_) return fail_now(verdict);
  AskVerify ask;
  ask.what.stored = sample_->cost_sample;
  ask.what.password = password_;
  delayed_verdict_ = verdict;
  waiting_ = Waiting::DummyVerdict;
  return ask;
}

AuthStep AuthRequest::fail_now(PassResult verdict) {
  // The user is there: what is wrong with him is ours to mend.
  if (lookup_) return refuse(AuthResult::Unavailable, ReplyTime::Kind::Now);
  const std::string code(refusal_code_.empty() ? fields_.text("code") : std::string_view(refusal_code_));
  const bool master_done = !login_user_.empty() && !master_user_.empty();
  const AuthResult result = result_for(verdict, code, master_done);
  const bool no_delay = nodelay_ || fields_.has("nodelay");
  if (result == AuthResult::Unavailable) return refuse(result, ReplyTime::Kind::AfterInternalFailure);
  return refuse_client(result, no_delay ? ReplyTime::Kind::Now : ReplyTime::Kind::AfterFailure);
}

// Some mechanisms tell their client of the failure in a challenge first; that is the one that waits.
AuthStep AuthRequest::refuse_client(AuthResult result, ReplyTime::Kind when) {
  if (offered_->refusal.empty()) return refuse(result, when);
  refusal_ = result;
  waiting_ = Waiting::RefusalHeard;
  return AskResponse{refusal_text_.empty() ? std::string(offered_->refusal) : std::move(refusal_text_), {when}};
}

Finished AuthRequest::refuse(AuthResult result, ReplyTime::Kind when) {
  Finished out;
  out.reply.id = start_.id;
  out.reply.result = result;
  out.reply.user = user_.empty() ? original_user_ : user_;
  out.reply.master_user = master_user_;
  out.reply.reason = refusal_reason_;
  out.when.kind = lookup_ ? ReplyTime::Kind::Now : when;  // nobody guesses
  return out;
}

Finished AuthRequest::give_up(std::string_view why) {
  error(subsystem(), why);
  return refuse(AuthResult::Unavailable, ReplyTime::Kind::Now);
}

// --- log -----------------------------------------------------------------------------

std::string AuthRequest::subsystem() const { return lookup_ ? "lookup" : to_lower(start_.mechanism); }

// "passwd-file(user,192.0.2.1,<session>): text", with ",master" in master logins.
std::string AuthRequest::line(std::string_view subsystem, std::string_view text) const {
  const std::string& name = user_.empty() ? original_user_ : user_;
  std::string out(subsystem);
  out.append("(").append(name.empty() ? "?" : printable(name, 80));
  if (!start_.subject.remote.ip.is_none()) out.append(",").append(start_.subject.remote.ip.text());
  if (!login_user_.empty() && master_user_.empty()) out.append(",master");
  if (!start_.subject.session.empty()) out.append(",<").append(printable(start_.subject.session, 80)).append(">");
  return out.append("): ").append(text);
}

void AuthRequest::note(std::string_view subsystem, std::string_view text) const {
  const bool verbose =
      settings_.verbose || (list_ != nullptr && at_ < list_->databases.size() && list_->databases[at_]->verbose);
  if (verbose) log_info(line(subsystem, text));
}

void AuthRequest::error(std::string_view subsystem, std::string_view text) const { log_error(line(subsystem, text)); }

// auth_verbose_passwords: only of attempts that failed (AUTH-49), never a token (AUTH-24).
std::string AuthRequest::shown_password() const {
  const std::string_view mode = settings_.verbose_passwords;
  if (mode.empty() || mode == "no" || (offered_ != nullptr && offered_->token))
    return {};  // a token may be good elsewhere
  const size_t colon = mode.find(':');
  const auto cut = colon == std::string_view::npos ? std::nullopt : parse_number(mode.substr(colon + 1), 1000);
  const size_t length = cut.value_or(1000);
  if (mode.substr(0, colon) == "sha1")
    return " (SHA1 of given password: " + hex_encode(digest(DigestKind::Sha1, password_.reveal())).substr(0, length) +
           ")";
  return " (given password: " + printable(password_.reveal().substr(0, length)) + ")";
}

}  // namespace postern
