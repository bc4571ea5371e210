// One client's authentication, from the mechanism to the reply. Does no I/O: each call returns what it wants
// next, and the service brings the answer.
#ifndef POSTERN_AUTH_REQUEST_H
#define POSTERN_AUTH_REQUEST_H

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "auth/cache.h"
#include "auth/fields.h"
#include "auth/settings.h"
#include "crypt/schemes.h"
#include "ipc/auth_messages.h"
#include "ipc/mail_messages.h"
#include "ipc/worker_messages.h"

namespace postern {

// When a reply may leave (AUC-1, AUTH-4, ALG-10).
struct ReplyTime {
  enum class Kind : uint8_t { Now, AfterFailure, AfterInternalFailure, Until };
  Kind kind = Kind::Now;
  uint64_t until = 0;  // Until: seconds since 1970
};

// then respond(). `when`: a challenge that tells of a failure waits like one.
struct AskResponse {
  std::string challenge;
  ReplyTime when{};
};
struct AskLookup {
  WorkerLookup what;
};  // then take_row()
// then take_row(). `shown`: the request's, to be judged by the database.
struct AskAsync {
  AsyncDatabase* database;
  Credential shown;
};
struct AskVerify {
  WorkerVerify what;
};  // then take_verdict()
struct AskAddresses {
  std::string name;
  Milliseconds timeout;
};  // then take_addresses()
// Nothing may be called any more. `mail`: a local login, to be started when the reply is due.
struct Finished {
  AuthReply reply;
  ReplyTime when;
  std::optional<StartMail> mail{};
  FieldList userdb{};  // Purpose::TestAll: what the userdbs know
};
struct AskPolicy {
  std::string body;
};  // then take_policy()
struct Tarpit {
  Milliseconds time;
};  // then tarpit_over()
using AuthStep = std::variant<AskResponse, AskLookup, AskAsync, AskPolicy, Tarpit, AskVerify, AskAddresses, Finished>;

class AuthRequest final : public Variables {
 public:
  // The world as far as a request sees it.
  struct World {
    std::function<uint64_t()> wall_seconds;
    std::function<uint64_t(uint64_t)> random_below;
    std::function<bool(const std::string& user)> may_warn{};  // of what is odd in his fields; none: never
    AuthCache* cache = nullptr;                               // null: none
    std::function<Instant()> now{};                           // for the cache
  };
  // Tests change nothing and tell nobody: no policy server, no mail program, any mechanism. Test ends with the passdbs,
  // TestAll asks the userdbs as well.
  enum class Purpose : uint8_t { Login, Test, TestAll };
  // `settings` and `world` outlive the request. The settings change in Passdb::cost_sample only.
  AuthRequest(AuthSettings& settings, const World& world, AuthStart start, Purpose purpose = Purpose::Login);
  AuthRequest(AuthSettings& settings, const World& world, UserLookup lookup, Purpose purpose = Purpose::Login);
  ~AuthRequest() override;

  AuthStep begin();
  AuthStep respond(SecretString response);
  AuthStep take_row(WorkerRow row);
  AuthStep take_row(DbRow row);
  AuthStep take_verdict(const WorkerVerdict& verdict);
  AuthStep take_addresses(const Result<std::vector<IpAddress>>& addresses);
  AuthStep take_policy(const PolicyAnswer& answer);
  AuthStep tarpit_over();
  // What a policy server is told of its end; empty: nothing.
  std::string policy_report(const AuthReply& reply) const;
  // Ends it from outside (time-out, shutdown): a temporary failure.
  Finished give_up(std::string_view why);
  // Too many of his address wait already: a temporary failure.
  Finished turn_away() { return refuse(AuthResult::Unavailable, ReplyTime::Kind::Now); }
  // The master could not start the user's mail program.
  Finished mail_failed(const MailStarted& failed);

  std::string value(Variable variable, std::string_view argument) const override;
  uint64_t id() const { return start_.id; }
  const AuthSubject& subject() const { return start_.subject; }
  // The same for the same user and password as long as this process lives; 0 when no password was sent (AUTH-43).
  uint64_t attempt_mark() const;

 private:
  enum class Waiting : uint8_t {
    Nothing,
    Row,
    Verdict,
    DummyVerdict,
    Addresses,
    LastWord,
    RefusalHeard,
    UserRow,
    PolicyBefore,
    PolicyAfter,
    Tarpit
  };

  // mechanism and names
  SaslContext sasl_context() const;
  AuthStep take_sasl(SaslStep step);
  AuthStep take(SaslChallenge challenge);
  AuthStep take(SaslPassword credentials);
  AuthStep take(SaslClaim claim);
  AuthStep take(SaslVouched vouched);
  AuthStep take(SaslProven proven);
  AuthStep take(SaslDisproven);
  AuthStep take(SaslBad bad);
  AuthStep begin_walk(const std::string& authzid, const std::string& authcid);
  std::optional<std::string> set_names(const std::string& authzid, const std::string& authcid);
  std::optional<std::string> set_master_names(std::string_view login, std::string_view master);
  // policy (request_policy.cc)
  bool asks_policy() const { return settings_.policy.enabled() && !lookup_ && purpose_ == Purpose::Login; }
  PolicyFacts policy_facts() const;
  AuthStep ask_policy(Waiting waiting);
  AuthStep refuse_by_policy(const PolicyAnswer& answer);
  // chain
  AuthStep walk_from_start();
  AuthStep walk_on();
  AuthStep chain_over();
  AuthStep master_over(PassResult verdict);
  std::optional<DbRow> known_row();
  AuthStep ask(const Passdb& database, Waiting waiting);
  Credential credential_for(const Passdb& database) const;
  std::optional<PassResult> unanswerable() const;
  std::optional<AuthStep> take_db_row(DbRow row);
  std::optional<AuthStep> decide_password(DbRow& row);
  PassResult lookup_result(const DbRow& row);
  std::optional<PassResult> check_result(const DbRow& row);
  std::optional<AuthStep> compare(DbRow& row);
  bool refuses_weak(const DbRow& row);
  PassResult keep_secret(const DbRow& row);
  void take_result(PassResult result);
  PassResult checked(PassResult result);
  PassResult result_of(const Verification& verification);
  bool apply_fields(const DbRow& row);
  bool apply_field(std::string_view name, std::string_view value);
  Passdb& db() { return *list_->databases[at_]; }
  WorkerLookup make_lookup(const Passdb& database) const;
  void roll_back();
  // cache (request_cache.cc)
  // One look-up's part in the cache: what the answer in hand is.
  struct CacheUse {
    enum class State : uint8_t {
      Asked,
      Hit,
      Doubted,
      Stale
    };                     // Doubted: asked because the password was not the kept one
    AuthCache::Key key{};  // not valid: the look-up has none
    State state = State::Asked;
    uint64_t serial = 0;  // of the entry
  };
  AuthCache::Key cache_key(const Passdb& database) const;
  bool compares_password() const;
  std::optional<DbRow> from_cache(const Passdb& database);
  void tell_cache(const Passdb& database, std::string_view what) const;
  bool judge(const Passdb& database, const AuthCache::Entry& entry, DbRow& row);
  bool ask_again();
  std::optional<AuthStep> after_mismatch();
  DbRow keep(const Passdb& database, DbRow row);
  DbRow fall_back(const Passdb& database, DbRow broken);
  void tell_match(bool known);
  void tell_proof(bool right);
  // proofs
  AuthStep prove(PassResult verdict);
  AuthStep refuse_master();
  // ends
  AuthStep settle(PassResult verdict);
  AuthStep settle_lookup(PassResult verdict);
  AuthStep succeed();
  AuthStep finish_success();
  AuthStep fail(PassResult verdict);
  AuthStep fail_now(PassResult verdict);
  AuthStep resolve_destination();
  AuthStep with_addresses(std::vector<IpAddress> addresses);
  bool is_self(const std::vector<IpAddress>& addresses) const;
  AuthStep accept(std::vector<IpAddress> addresses);
  void hand_destination(AuthReply& reply, std::vector<IpAddress> addresses);
  AuthStep refuse_client(AuthResult result, ReplyTime::Kind when);
  // local logins (request_local.cc)
  struct Local {
    Finished accepted;
    ChainWalk walk;
    size_t at = 0;
    FieldSet fields{}, saved{};
  };
  bool is_local() const;
  AuthStep begin_local(Finished accepted);
  AuthStep ask_userdbs();
  void take_user_row(DbRow row);
  AuthStep userdbs_over();
  AuthStep start_mail();
  std::string userdb_value(std::string_view field) const;
  Finished refuse(AuthResult result, ReplyTime::Kind when);
  // log
  void note(std::string_view subsystem, std::string_view text) const;  // auth_verbose
  void error(std::string_view subsystem, std::string_view text) const;
  std::string line(std::string_view subsystem, std::string_view text) const;
  std::string subsystem() const;
  std::string shown_password() const;

  // How a mechanism's claim stands: none made, not checked yet, checked; no password has a part in it.
  enum class Proof : uint8_t { None, Open, Right, Wrong, Vouched };

  AuthSettings& settings_;
  const World& world_;
  AuthStart start_;
  Purpose purpose_;
  std::optional<UserLookup> lookup_;  // nobody logs in: `start_` has id and subject only
  const MechanismInfo* offered_ = nullptr;
  std::unique_ptr<ServerMechanism> mechanism_;
  std::string user_, original_user_, login_user_, master_user_;
  SecretString password_;
  bool have_password_ = false;
  Proof proof_ = Proof::None;
  std::optional<SaslDigest> digest_;         // the claim, where a database can check it
  std::optional<SaslSecret> secret_;         // what the claim is checked against
  AuthResult refusal_ = AuthResult::Failed;  // RefusalHeard: what comes next
  std::string refusal_text_;                 // a database's, instead of the mechanism's

  std::unique_ptr<Local> local_;  // the passdbs have accepted, the userdbs are asked
  FieldSet fields_, saved_fields_;
  std::string saved_user_, saved_master_user_;
  std::string cached_as_;     // the user's translated name, whatever a database made of it (AUTH-35)
  CacheUse use_, proof_use_;  // of the look-up under way; of the one that secret_ is from
  PassdbList* list_ = nullptr;
  std::optional<ChainWalk> walk_;
  size_t at_ = 0;
  Waiting waiting_ = Waiting::Nothing;
  PassResult delayed_verdict_ = PassResult::Internal;  // waits for the dummy comparison or the proof
  bool compared_slow_ = false;
  Passdb* sample_ = nullptr;  // a database with a cost sample that was asked
  bool nodelay_ = false;      // of a user whose fields were rolled back
  std::string policy_hash_;
  bool policy_reject_ = false;
  std::string refusal_reason_, refusal_code_;  // of a user whose password was right
};

}  // namespace postern

#endif
