// A user who belongs to this host: what the userdbs know of him, and the order for his mail program (AUTH-7,
// DECISIONS section 8).
#include <algorithm>
#include <utility>

#include "auth/request.h"
#include "base/log.h"
#include "base/text.h"

namespace postern {

namespace {

constexpr std::string_view kPrefix = "userdb_";

// The row of driver prefetch: what the passdb had for us.
DbRow prefetched(const FieldSet& passdb) {
  DbRow row = DbRow::not_found();
  for (const auto& [name, value] : passdb.list()) {
    if (!istarts_with(name, kPrefix)) continue;
    row.result = LookupResult::Found;
    row.fields.emplace_back(name.substr(kPrefix.size()), value);
  }
  return row;
}

// Fields that StartMail has members for; all others go into the environment.
constexpr std::string_view kOwnFields[] = {"uid", "gid", "home", "user", "system_groups_user"};

PassResult chain_result(LookupResult result) {
  constexpr PassResult kResults[] = {PassResult::Ok, PassResult::UnknownUser, PassResult::Internal};
  static_assert(std::size(kResults) == static_cast<size_t>(LookupResult::kCount));
  return kResults[static_cast<size_t>(result)];
}

}  // namespace

bool AuthRequest::is_local() const {
  return !fields_.has("proxy") && !fields_.has("nologin") && settings_.mail_program(start_.subject.service) != nullptr;
}

AuthStep AuthRequest::begin_local(Finished accepted) {
  local_.reset(new Local{std::move(accepted), ChainWalk(settings_.userdbs.rules)});
  return ask_userdbs();
}

AuthStep AuthRequest::ask_userdbs() {
  while (const auto index = local_->walk.next({}, user_)) {
    local_->at = *index;
    Passdb& db = *settings_.userdbs.databases[*index];
    if (db.traits.prefetch) {
      take_user_row(prefetched(fields_));
      continue;
    }
    auto row = db.local == nullptr ? from_cache(db) : db.local->lookup(*this, nullptr);
    if (!row) return ask(db, Waiting::UserRow);
    take_user_row(std::move(*row));
  }
  return userdbs_over();
}

void AuthRequest::take_user_row(DbRow row) {
  const Passdb& db = *settings_.userdbs.databases[local_->at];
  if (settings_.debug)
    log_debug(line(db.driver, row.result == LookupResult::Found ? "userdb lookup: found" : "userdb lookup: no result"));
  if (!row.why.empty()) error(db.driver, "userdb: " + row.why);
  if (row.result == LookupResult::NotFound && db.verbose && !db.traits.prefetch)
    note(db.driver, "unknown user in userdb");
  local_->saved = local_->fields;
  if (row.result == LookupResult::Found) {
    for (const FieldTemplate& f : db.defaults) local_->fields.apply(f.name, f.value.expand(*this));
    for (const auto& [name, value] : row.fields) local_->fields.apply(name, value);
    for (const FieldTemplate& f : db.overrides) local_->fields.apply(f.name, f.value.expand(*this));
  }
  if (!local_->walk.take(chain_result(row.result))) local_->fields = local_->saved;
}

AuthStep AuthRequest::userdbs_over() {
  const PassResult verdict = local_->walk.verdict();
  if (verdict == PassResult::Ok) return start_mail();
  if (lookup_ && verdict != PassResult::Internal && !settings_.userdbs.databases.empty())
    return refuse(AuthResult::Failed, ReplyTime::Kind::Now);
  // He has moved: the login process refers him, and needs no program for that (A1).
  if (verdict != PassResult::Internal && fields_.has("host")) return std::move(local_->accepted);
  if (verdict != PassResult::Internal) error("userdb", "user not found from any userdb");
  if (settings_.userdbs.databases.empty()) error("userdb", "a local login needs a userdb, and there is none");
  return refuse(AuthResult::Unavailable, ReplyTime::Kind::AfterInternalFailure);
}

AuthStep AuthRequest::start_mail() {
  const FieldSet& fields = local_->fields;
  Finished& out = local_->accepted;
  out.reply.is_local = true;
  if (purpose_ == Purpose::TestAll) {
    out.userdb = fields.list();
    return std::move(out);
  }
  if (lookup_ && !lookup_->deliver) return std::move(out);
  if (fields.has("user") && !fields.text("user").empty()) out.reply.user = user_ = fields.text("user");
  StartMail& mail = out.mail.emplace();
  const MailProgram& program = *settings_.mail_program(start_.subject.service);
  mail.service = program.service;
  mail.session = start_.subject.session;
  mail.user = user_;
  mail.uid = fields.text("uid").empty() ? settings_.mail_uid : fields.text("uid");
  mail.gid = fields.text("gid").empty() ? settings_.mail_gid : fields.text("gid");
  mail.groups_of = fields.text("system_groups_user");
  mail.home = fields.text("home");
  mail.remote = start_.subject.remote;
  mail.local = start_.subject.local;
  mail.max_userip = start_.subject.max_userip;
  mail.delivery = lookup_.has_value();
  for (const Template& word : program.words) mail.words.push_back(word.expand(*this));
  for (const auto& field : fields.list())
    if (std::find(std::begin(kOwnFields), std::end(kOwnFields), field.first) == std::end(kOwnFields))
      mail.environment.push_back(field);
  if (!mail.uid.empty()) return std::move(out);
  error("userdb", "the user has no uid, and mail_uid is not set");
  return refuse(AuthResult::Unavailable, ReplyTime::Kind::AfterInternalFailure);
}

std::string AuthRequest::userdb_value(std::string_view field) const {
  return local_ == nullptr ? std::string() : std::string(local_->fields.text(field));
}

Finished AuthRequest::mail_failed(const MailStarted& failed) {
  if (failed.too_many) {
    refusal_reason_ = failed.why;
    return refuse(AuthResult::TooMany, ReplyTime::Kind::Now);
  }
  error(start_.subject.service, failed.why);
  return refuse(AuthResult::Unavailable, ReplyTime::Kind::Now);
}

}  // namespace postern
