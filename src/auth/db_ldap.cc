#include "auth/db_ldap.h"

#include <set>
#include <utility>

#include "auth/db_ldap_connection.h"
#include "base/log.h"
#include "base/text.h"

namespace postern {

namespace {

constexpr int kTries = 3;
constexpr std::chrono::seconds kPatience{30};  // for another try; auth gives a worker up after 60 s

// A connection to one of the servers, renewed as it is needed.
class Link {
 public:
  // `as_service`: bind with dn and dnpass first.
  Link(const LdapAccess& access, bool as_service) : access_(access), servers_(access.uris), as_service_(as_service) {}

  // Runs `operation` until its result is not Lost. R: LdapBindResult or LdapFindResult.
  template <class R, class Operation>
  R run(Operation operation) {
    const Instant start = SystemClock().now();
    servers_.begin_lookup();
    R result;
    for (int tries = 0; tries < kTries && SystemClock().now() - start < kPatience; ++tries) {
      const bool kept = connection_ != nullptr;
      if (!kept && !connect(start)) break;
      result = operation(*connection_);
      if (result.what != decltype(result.what)::Lost) return servers_.worked(), result;
      // A connection that was kept may just have been too old.
      lost(uri_ + ": " + result.why, !kept);
    }
    result.why = last_error_;
    return result;
  }

 private:
  bool connect(Instant start) {
    for (Instant now = start; now - start < kPatience; now = SystemClock().now()) {
      const std::string* uri = servers_.next(now);
      if (uri == nullptr) return false;
      uri_ = *uri;
      auto opened = LdapConnection::open(access_, *uri);
      if (opened) connection_ = std::move(*opened);
      const std::string why = opened ? log_in() : opened.error();
      if (why.empty()) return true;
      lost(uri_ + ": " + why, true);
    }
    return false;
  }

  // Empty, or why the service may not search.
  std::string log_in() {
    if (!as_service_) return {};
    const LdapBindResult bound = connection_->bind(access_.dn, access_.dnpass);
    if (bound.what == LdapBind::Right) return {};
    return "as " + (access_.dn.empty() ? "nobody" : access_.dn) + ": " + bound.why;
  }

  void lost(std::string why, bool servers_fault) {
    connection_.reset();
    if (servers_fault) servers_.failed(SystemClock().now());
    last_error_ = std::move(why);
  }

  const LdapAccess& access_;
  LdapServers servers_;
  bool as_service_;
  std::unique_ptr<LdapConnection> connection_;
  std::string uri_, last_error_ = "not connected";
};

struct BindMeaning {
  LdapBind bind;
  PasswordCheck check;
};
constexpr BindMeaning kMeanings[] = {{LdapBind::Right, PasswordCheck::Right},
                                     {LdapBind::Wrong, PasswordCheck::Wrong},
                                     {LdapBind::Disabled, PasswordCheck::Disabled},
                                     {LdapBind::Expired, PasswordCheck::Expired}};

bool has_nul(const LdapEntry& entry) {
  for (const auto& [name, values] : entry.values)
    for (const std::string& value : values)
      if (value.find('\0') != std::string::npos) return true;
  return false;
}

class LdapDatabase final : public Database {
 public:
  LdapDatabase(LdapPlan plan, DbKind kind)
      : plan_(std::move(plan)), kind_(kind), searcher_(plan_.access, true), binder_(plan_.access, false) {}

  DbRow lookup(const Variables& variables, const SecretString* password) override {
    if (password == nullptr || !plan_.auth_bind) return found(variables).row;
    // Binding with an empty password succeeds as nobody (RFC 4513 section 5.1.2).
    if (password->empty()) return checked(RowBuilder(kind_).take(), PasswordCheck::Wrong);
    if (!plan_.bind_dn) {
      Found user = found(variables);
      return user.row.result == LookupResult::Found ? verified(std::move(user.row), user.dn, *password)
                                                    : std::move(user.row);
    }
    RowBuilder row(kind_);
    plan_.attributes.fill_constants(variables, row);
    return verified(row.take(), plan_.bind_dn->expand(variables), *password);
  }

 private:
  struct Found {
    DbRow row;
    std::string dn;
  };

  static DbRow checked(DbRow row, PasswordCheck check) {
    row.check = check;
    return row;
  }

  Found found(const Variables& variables) {
    const LdapSearch search{plan_.base.expand(variables), plan_.filter.expand(variables), plan_.scope, plan_.deref,
                            plan_.attributes.names()};
    LdapFindResult result = searcher_.run<LdapFindResult>([&](LdapConnection& c) { return c.find(search); });
    if (result.what == LdapFind::One) return row_of(std::move(result.entry), variables);
    // A domain of the user's may have no branch of its own.
    const bool unknown =
        result.what == LdapFind::None || (result.what == LdapFind::NoSuchBase && !plan_.base.is_constant());
    if (unknown) return {DbRow::not_found(), {}};
    if (result.what == LdapFind::Many) return {DbRow::broken("search returned more than one entry"), {}};
    return {DbRow::broken(result.why), {}};
  }

  Found row_of(LdapEntry entry, const Variables& variables) {
    if (has_nul(entry)) return {DbRow::broken("search: an attribute's value has a NUL"), {}};
    RowBuilder row(kind_);
    std::vector<std::string> several;
    plan_.attributes.fill(entry, variables, row, several);
    for (const std::string& name : several)
      if (warned_.insert(name).second)
        log_warning("ldap: an entry has several values of " + printable(name) + ": the first is used");
    return {row.take(), std::move(entry.dn)};
  }

  DbRow verified(DbRow row, const std::string& dn, const SecretString& password) {
    // Without a name any password would do.
    if (dn.empty() || dn.find('\0') != std::string::npos) return DbRow::not_found();
    const LdapBindResult result = binder_.run<LdapBindResult>([&](LdapConnection& c) { return c.bind(dn, password); });
    if (result.what != LdapBind::Right) row.fields.clear();  // they are told to nobody else
    for (const BindMeaning& m : kMeanings)
      if (m.bind == result.what) return checked(std::move(row), m.check);
    return result.what == LdapBind::NoSuchEntry ? DbRow::not_found() : DbRow::broken(result.why);
  }

  LdapPlan plan_;
  DbKind kind_;
  Link searcher_, binder_;
  std::set<std::string> warned_;
};

}  // namespace

Result<std::unique_ptr<Database>> open_ldap(const DatabaseSettings& settings, DbKind kind) {
  auto plan = LdapPlan::from(settings, kind);
  if (!plan) return Error(plan.error());
  return std::unique_ptr<Database>(std::make_unique<LdapDatabase>(std::move(*plan), kind));
}

}  // namespace postern
